//! What a committed write survives, as the database is set up now. An operator may
//! change that while services run.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};

/// What a commit survives, the more the larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Survives {
    /// Not even every crash of the server.
    ServiceCrash,
    /// Not every power loss.
    ServerCrash,
    PowerLoss,
}

/// Logs once when it decreases, and once when it increases again.
#[derive(Debug, Default)]
pub(super) struct Durability(Mutex<Option<Survives>>);

impl Durability {
    /// What it is now. Returns whether it has changed, and how.
    pub(super) fn is(&self, now: Survives, in_words: &str) -> Ordering {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = last
            .replace(now)
            .map_or(Ordering::Equal, |last| now.cmp(&last));
        match changed {
            Ordering::Less => {
                tracing::warn!(
                    durability = in_words,
                    "what the database survives has become less"
                );
            }
            Ordering::Greater => {
                tracing::info!(
                    durability = in_words,
                    "what the database survives has become more"
                );
            }
            Ordering::Equal => {}
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_only_once() {
        let durability = Durability::default();
        let changes = [
            (Survives::PowerLoss, Ordering::Equal),
            (Survives::ServerCrash, Ordering::Less),
            (Survives::ServerCrash, Ordering::Equal),
            (Survives::ServiceCrash, Ordering::Less),
            (Survives::PowerLoss, Ordering::Greater),
        ];
        for (now, change) in changes {
            assert_eq!(durability.is(now, ""), change);
        }
    }
}
