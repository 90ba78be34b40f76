//! Which build this is.

/// The version of all packages of this workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that this was built from, where the build names it by the environment
/// variable `BUILD_REVISION`.
pub fn revision() -> Option<&'static str> {
    option_env!("BUILD_REVISION").filter(|revision| !revision.is_empty())
}

/// `0.1.0 (abc1234)`, or the version alone.
pub(crate) fn in_words(version: &str, revision: Option<&str>) -> String {
    match revision {
        Some(revision) => format!("{version} ({revision})"),
        None => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_that_knows_its_commit_says_so() {
        assert_eq!(in_words("1.2.3", Some("abc1234")), "1.2.3 (abc1234)");
        assert_eq!(in_words("1.2.3", None), "1.2.3");
    }
}
