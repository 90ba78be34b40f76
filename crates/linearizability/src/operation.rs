//! What one client asked of one name, and what it was answered.

/// The instants of a history: nanoseconds since it began, on one clock that never goes back.
pub type Nanos = u64;

/// What a put writes. No two puts of a name write the same.
pub type Value = u64;

/// The version in an entity tag.
pub type Version = u64;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// What is the value?
    Read,
    /// Let this be the value.
    Put(Value, Condition),
    /// Let there be no value. Without a condition of its own, it takes place only where there is one.
    Delete(Condition),
}

/// What has to hold for a write to take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// `If-Match`: the value is the one that was given this version.
    IfMatch(Version),
    /// `If-None-Match: *`: there is no value.
    IfNoneMatch,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To a read: the value that there is, if there is one.
    Saw(Option<Seen>),
    /// The write took place, at this version where the answer has one.
    Done(Option<Version>),
    /// The write did not take place, because what has to hold for it did not: `412`, and to a delete `404`.
    NotMet,
    /// The write has certainly done nothing and will do nothing, and a read was not answered.
    Failed,
    /// The write may take place once, at any time after it was invoked, or never.
    Unknown,
}

/// A value that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The value.
    pub value: Value,
    /// Its version, where the answer has one.
    pub version: Option<Version>,
}

/// One operation on one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The client that asked, for the reader of a report.
    pub client: usize,
    /// What was asked.
    pub action: Action,
    /// Before it was sent.
    pub invoked: Nanos,
    /// After the answer had come. Means nothing where the outcome is unknown.
    pub completed: Nanos,
    /// What was answered.
    pub outcome: Outcome,
}

impl Operation {
    /// The value that a read saw.
    pub fn seen(&self) -> Option<Value> {
        match self.outcome {
            Outcome::Saw(seen) => seen.map(|seen| seen.value),
            _ => None,
        }
    }

    /// The value that a put writes.
    pub fn put(&self) -> Option<Value> {
        match self.action {
            Action::Put(value, _) => Some(value),
            _ => None,
        }
    }

    /// What has to hold for the write to take place.
    pub fn condition(&self) -> Condition {
        match self.action {
            Action::Read => Condition::Always,
            Action::Put(_, condition) | Action::Delete(condition) => condition,
        }
    }

    /// The version that its answer has.
    pub fn version(&self) -> Option<Version> {
        match self.outcome {
            Outcome::Saw(seen) => seen.and_then(|seen| seen.version),
            Outcome::Done(version) => version,
            _ => None,
        }
    }

    /// Whether [`Self::weakened`] changes it.
    pub fn is_strong(&self) -> bool {
        self.weakened() != *self
    }

    /// The same operation with nothing said about whether it took place, or, of one that changes nothing,
    /// with no answer. Every linearizable history stays so when operations of it are weakened.
    pub fn weakened(self) -> Operation {
        let outcome = match (self.action, self.outcome) {
            (Action::Read, _) | (_, Outcome::NotMet | Outcome::Failed) => Outcome::Failed,
            _ => Outcome::Unknown,
        };
        Operation { outcome, ..self }
    }

    /// The same operation as if it had never been.
    pub(super) fn left_out(self) -> Operation {
        Operation {
            outcome: Outcome::Failed,
            ..self
        }
    }
}
