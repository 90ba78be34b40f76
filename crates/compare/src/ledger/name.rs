//! What is known of one name.

use crate::request::{Answer, Operation, Request};

/// What is known of one name.
#[derive(Debug, Default)]
pub(super) struct Name {
    /// The acknowledged write or delete with the largest version.
    pub(super) newest: Option<Acknowledged>,
    /// The largest version that was acknowledged or read.
    pub(super) seen: u64,
    /// The largest version of an acknowledged delete; 0 if there is none.
    deleted: u64,
    /// Deletes that are under way, or whose outcome is unknown.
    pub(super) unsettled_deletes: u64,
    /// The writes of which the outcome is unknown.
    pub(super) unsettled_writes: Vec<u64>,
}

/// A write or a delete that was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) version: u64,
    /// The request that wrote; `None` for a delete.
    pub(super) writer: Option<u64>,
}

/// What a request that begins now must not be answered with less than.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Floor {
    version: u64,
    is_record: bool,
}

impl Name {
    pub(super) fn floor(&self) -> Floor {
        Floor {
            version: self.seen,
            is_record: self.seen > self.deleted,
        }
    }

    /// Takes note of an answer; says what is wrong with it.
    pub(super) fn answered(
        &mut self,
        request: Request,
        floor: Floor,
        answer: Answer,
    ) -> Option<String> {
        let deletes = request.operation == Operation::Delete;
        if deletes && answer != Answer::Unknown {
            self.unsettled_deletes = self.unsettled_deletes.saturating_sub(1);
        }
        match answer {
            Answer::Acknowledged { version } => {
                self.acknowledge(version, (!deletes).then_some(request.number));
                None
            }
            Answer::Found { version, writer } => {
                let wrong = self.wrong_record(floor, version, writer);
                self.seen = self.seen.max(version);
                wrong
            }
            Answer::NotFound | Answer::NothingToDelete => {
                let explained = self.deleted > floor.version || self.unsettled_deletes > 0;
                (floor.is_record && !explained).then(|| {
                    format!(
                        "there was said to be no record, after version {} was acknowledged or read",
                        floor.version
                    )
                })
            }
            Answer::Unknown if !deletes => {
                if request.operation == Operation::Write {
                    self.unsettled_writes.push(request.number);
                }
                None
            }
            Answer::Unknown | Answer::Refused => None,
        }
    }

    fn acknowledge(&mut self, version: u64, writer: Option<u64>) {
        self.seen = self.seen.max(version);
        if writer.is_none() {
            self.deleted = self.deleted.max(version);
        }
        if self.newest.is_none_or(|newest| newest.version < version) {
            self.newest = Some(Acknowledged { version, writer });
        }
    }

    fn wrong_record(&self, floor: Floor, version: u64, writer: Option<u64>) -> Option<String> {
        if version < floor.version {
            return Some(format!(
                "version {version} was read, after version {} was acknowledged or read",
                floor.version
            ));
        }
        let newest = self.newest.filter(|newest| newest.version == version)?;
        (newest.writer != writer).then(|| {
            format!("version {version} was read with a value that was not written at that version")
        })
    }
}
