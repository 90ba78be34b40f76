//! The figures within a page that has more than them.

use std::fs;
use std::path::Path;

use crate::Result;

const BEGIN: &str = "<!-- figures of scripts/bench -->\n";
const END: &str = "<!-- end of figures -->";

/// Replaces what is between the marks of the page.
///
/// # Errors
/// When the page is missing or has no marks.
pub(crate) fn replace(page: &Path, figures: &str) -> Result<()> {
    let text = with_figures_in(page, figures)?;
    fs::write(page, text).map_err(|error| format!("{}: {error}", page.display()).into())
}

/// Whether the page can take figures.
///
/// # Errors
/// When it is missing or has no marks.
pub(crate) fn check(page: &Path) -> Result<()> {
    with_figures_in(page, "").map(drop)
}

fn with_figures_in(page: &Path, figures: &str) -> Result<String> {
    let name = page.display();
    let text = fs::read_to_string(page).map_err(|error| format!("{name}: {error}"))?;
    with_figures(&text, figures).ok_or_else(|| {
        format!(
            "{name} has no lines \"{}\" and \"{END}\" for the figures",
            BEGIN.trim_end()
        )
        .into()
    })
}

fn with_figures(page: &str, figures: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{figures}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = format!("# Title\n{BEGIN}\nold\n{END}\nthe rest\n");
        let new = with_figures(&page, "new").unwrap();
        assert_eq!(new, format!("# Title\n{BEGIN}\nnew\n{END}\nthe rest\n"));
        assert_eq!(with_figures(&new, "new").unwrap(), new);
    }

    #[test]
    fn a_page_without_marks_is_refused() {
        assert_eq!(with_figures("# Title\n", "new"), None);
        assert_eq!(with_figures(&format!("{END}{BEGIN}"), "new"), None);
        let error = check(Path::new("/no/such/page.md")).unwrap_err();
        assert!(
            error.to_string().starts_with("/no/such/page.md: "),
            "{error}"
        );
    }
}
