//! Whether the database leaves later writes a version.
//!
//! Every write gets a version above the newest one. After a row of another program with nearly the
//! largest version, every write would fail, at once or soon. So the start is refused.

use crate::error::{Error, Result};
use crate::version::Version;

/// The largest version that a row may have at the start.
pub(super) const NEWEST_MAX: i64 = Version::NEWEST_MAX.get() as i64;

/// Refuses the start if the newest row, given by id and version, is above [`NEWEST_MAX`].
///
/// # Errors
/// [`Error::BadSetting`] that names the row.
pub(super) fn check(newest: Option<(i64, i64)>) -> Result<()> {
    let Some((id, version)) = newest.filter(|(_, version)| *version > NEWEST_MAX) else {
        return Ok(());
    };
    Err(Error::BadSetting {
        key: "DATABASE_URL",
        reason: format!(
            "the row of users with the id {id} has the version {version}, which no service has \
             issued; every later write needs a larger one, and the largest is {max}. Give the row \
             a smaller version, such as 0, and start again",
            max = Version::MAX
        )
        .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_next_to_the_largest_version_is_named() {
        let version = Version::MAX.to_i64();
        let refused = check(Some((7, version))).unwrap_err().to_string();
        assert!(refused.contains("with the id 7"), "{refused}");
        assert!(refused.contains(&version.to_string()), "{refused}");
        check(Some((7, NEWEST_MAX + 1))).unwrap_err();
    }

    /// As a clock that was set to the next century leaves it.
    #[test]
    fn a_row_of_the_far_future_is_taken() {
        let century = 100 * (Version::MAX.to_i64() - NEWEST_MAX);
        let far = Version::now().to_i64() + century;
        for newest in [None, Some((7, 0)), Some((7, far)), Some((7, NEWEST_MAX))] {
            check(newest).unwrap();
        }
    }
}
