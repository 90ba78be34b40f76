//! Whether a server's writes are accepted now. Each watcher of the server refuses
//! them under a name of its own while something is wrong, and allows them again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::telemetry;

/// Those of this process, of which `write_cache_writes_refused` tells.
static REFUSALS: LazyLock<Arc<Refusals>> = LazyLock::new(Arc::default);

/// How many admissions refuse writes now.
#[derive(Debug, Default)]
struct Refusals(Mutex<usize>);

impl Refusals {
    /// Tells how it is after `change`.
    fn change(&self, change: impl FnOnce(&mut usize)) {
        let mut refusing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut refusing);
        // Under the lock, so that the last change is told last.
        telemetry::writes_refused(*refusing > 0);
    }
}

/// Why writes are refused now, by watcher. [`Admission::check`] costs one load.
#[derive(Debug)]
pub struct Admission {
    refuses: AtomicBool,
    reasons: Mutex<BTreeMap<&'static str, Arc<str>>>,
    refusals: Arc<Refusals>,
}

impl Default for Admission {
    fn default() -> Admission {
        Admission::among(REFUSALS.clone())
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.refuses_from_now_on(false);
    }
}

impl Admission {
    fn among(refusals: Arc<Refusals>) -> Admission {
        // There from the start.
        refusals.change(|_| ());
        Admission {
            refuses: AtomicBool::new(false),
            reasons: Mutex::default(),
            refusals,
        }
    }

    fn refuses_from_now_on(&self, refuses: bool) {
        if self.refuses.swap(refuses, Ordering::AcqRel) != refuses {
            self.refusals.change(|refusing| match refuses {
                true => *refusing += 1,
                false => *refusing -= 1,
            });
        }
    }

    /// Refuses writes from now on. Clients get `reason`, a sentence without a full
    /// stop that names no server. Returns whether it is new for the watcher `source`,
    /// so that the caller logs it once.
    pub fn refuse(&self, source: &'static str, reason: impl Into<Arc<str>>) -> bool {
        let reason = reason.into();
        let mut reasons = self.reasons();
        let before = reasons.insert(source, reason.clone());
        self.refuses_from_now_on(true);
        before != Some(reason)
    }

    /// Ends the refusal of the watcher `source`. Returns whether there was one.
    pub fn allow(&self, source: &'static str) -> bool {
        let mut reasons = self.reasons();
        let was_refused = reasons.remove(source).is_some();
        self.refuses_from_now_on(!reasons.is_empty());
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
    use metrics_exporter_prometheus::PrometheusBuilder;

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

    #[test]
    fn the_gauge_is_1_while_any_admission_refuses() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let expect = |value: u8| {
                let said = recorder.handle().render();
                assert!(
                    said.contains(&format!("write_cache_writes_refused {value}\n")),
                    "{said}"
                );
            };
            let refusals = Arc::<Refusals>::default();
            let [one, other] = [0; 2].map(|_| Admission::among(refusals.clone()));
            expect(0);
            one.refuse("claim", "another process");
            one.refuse("claim", "another process");
            other.allow("journal");
            expect(1);
            let _ = Admission::among(refusals.clone());
            expect(1);
            other.refuse("journal", "a policy");
            drop(one);
            expect(1);
            other.allow("journal");
            expect(0);
        });
    }
}
