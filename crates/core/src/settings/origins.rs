//! The origins of pages that may write: `https://users.example, http://backend:8080`.

use url::{Origin, Url};

/// Splits the list at its commas. Returns the origins in the form that browsers send.
///
/// # Errors
/// What an origin must be.
pub(super) fn parse(list: &str) -> Result<Vec<String>, &'static str> {
    let listed = list.split(',').map(str::trim);
    listed
        .filter(|text| !text.is_empty())
        .map(|text| {
            origin(text)
                .ok_or("must be origins such as https://users.example:8443, separated by commas")
        })
        .collect()
}

fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_http = matches!(url.scheme(), "http" | "https");
    let is_bare = url.username().is_empty() && url.password().is_none();
    let ends_there = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    match url.origin() {
        origin @ Origin::Tuple(..) if is_http && is_bare && ends_there => {
            Some(origin.ascii_serialization())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        let list = " https://Users.Example:443 ,http://backend:8080/,, http://[::1]:80";
        let origins = [
            "https://users.example",
            "http://backend:8080",
            "http://[::1]",
        ];
        assert_eq!(parse(list).unwrap(), origins);
        assert_eq!(parse("").unwrap(), [""; 0]);
        for list in [
            "*",
            "null",
            "users.example",
            "https://a/b",
            "https://a?b",
            "ftp://a",
            "https://u@a",
        ] {
            assert!(parse(list).is_err(), "{list}");
        }
    }
}
