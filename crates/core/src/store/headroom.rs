//! Whether the database leaves later writes a version.
//!
//! A clock starts above the ceiling. With a ceiling of nearly the largest version, every write would
//! fail, at once or soon. So the start is refused. (A row of another program does not count: it is
//! above the ceiling.)

use crate::error::{Error, Result};
use crate::model::version::Version;

/// The largest version that the ceiling may have at the start.
pub(super) const NEWEST_MAX: i64 = Version::NEWEST_MAX.get() as i64;

/// Refuses the start if the ceiling is above [`NEWEST_MAX`].
///
/// # Errors
/// [`Error::BadSetting`] that says what to do.
pub(super) fn check(ceiling: i64) -> Result<()> {
    if ceiling <= NEWEST_MAX {
        return Ok(());
    }
    Err(Error::BadSetting {
        key: "DATABASE_URL",
        reason: format!(
            "cache_epoch says in reserved_through that versions up to {ceiling} are used, which no \
             service has issued; every later write needs a larger one, and the largest is {max}. Set \
             it to NULL and start again",
            max = Version::MAX
        )
        .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_next_to_the_largest_version_is_refused() {
        let version = Version::MAX.to_i64();
        let refused = check(version).unwrap_err().to_string();
        assert!(refused.contains("reserved_through"), "{refused}");
        assert!(refused.contains(&version.to_string()), "{refused}");
        check(NEWEST_MAX + 1).unwrap_err();
    }

    /// As a clock that was set to the next century leaves it.
    #[test]
    fn a_ceiling_of_the_far_future_is_taken() {
        let century = 100 * (Version::MAX.to_i64() - NEWEST_MAX);
        let far = Version::now().to_i64() + century;
        for ceiling in [0, far, NEWEST_MAX] {
            check(ceiling).unwrap();
        }
    }
}
