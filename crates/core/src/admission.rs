//! Whether a server's writes are accepted now. Each watcher of the server refuses
//! them under a name of its own while something is wrong, and allows them again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::telemetry;

/// Why writes are refused now, by watcher. [`Admission::check`] costs one load.
#[derive(Debug, Default)]
pub struct Admission {
    refuses: AtomicBool,
    reasons: Mutex<BTreeMap<&'static str, Arc<str>>>,
}

impl Admission {
    /// Refuses writes from now on. Clients get `reason`, a sentence without a full
    /// stop that names no server. Returns whether it is new for the watcher `source`,
    /// so that the caller logs it once.
    pub fn refuse(&self, source: &'static str, reason: impl Into<Arc<str>>) -> bool {
        let reason = reason.into();
        let mut reasons = self.reasons();
        let before = reasons.insert(source, reason.clone());
        self.refuses.store(true, Ordering::Release);
        telemetry::writes_refused(true);
        before != Some(reason)
    }

    /// Ends the refusal of the watcher `source`. Returns whether there was one.
    pub fn allow(&self, source: &'static str) -> bool {
        let mut reasons = self.reasons();
        let was_refused = reasons.remove(source).is_some();
        self.refuses.store(!reasons.is_empty(), Ordering::Release);
        telemetry::writes_refused(!reasons.is_empty());
        was_refused
    }

    /// Whether writes are accepted.
    ///
    /// # Errors
    /// [`Error::NotAdmitted`] with a reason, while there is one.
    pub fn check(&self) -> Result<()> {
        if !self.refuses.load(Ordering::Acquire) {
            return Ok(());
        }
        match self.reasons().values().next() {
            Some(reason) => Err(Error::NotAdmitted(reason.clone())),
            None => Ok(()),
        }
    }

    /// All current reasons as one text; `None` when writes are accepted.
    pub fn problem(&self) -> Option<String> {
        let reasons = self.reasons();
        let reasons: Vec<&str> = reasons.values().map(AsRef::as_ref).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<str>>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_refused_until_the_last_watcher_allows_them() {
        let admission = Admission::default();
        assert!(admission.check().is_ok() && admission.problem().is_none());
        assert!(admission.refuse("a", "the first is wrong"));
        assert!(!admission.refuse("a", "the first is wrong"));
        assert!(admission.refuse("b", "the second is wrong"));
        let both = "the first is wrong; the second is wrong";
        assert_eq!(admission.problem().as_deref(), Some(both));
        assert!(admission.allow("a") && !admission.allow("a"));
        let Err(Error::NotAdmitted(reason)) = admission.check() else {
            panic!("writes are accepted")
        };
        assert_eq!(&*reason, "the second is wrong");
        assert!(admission.allow("b") && admission.check().is_ok());
    }
}
