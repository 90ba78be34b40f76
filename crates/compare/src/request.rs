//! One request of a workload, and what came of it.

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// To put a record.
    Write,
    /// To be given a record.
    Read,
    /// To delete a record.
    Delete,
}

impl Operation {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Operation; 3] = [Operation::Write, Operation::Read, Operation::Delete];

    /// What it is called in a report.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Write => "write",
            Operation::Read => "read",
            Operation::Delete => "delete",
        }
    }
}

/// A request of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its place among all requests of the workload, from 0. A record that it writes has it
    /// in its value, so that no two requests write the same value.
    pub number: u64,
    /// Which of the workload's names it is about, from 0.
    pub name: u32,
    /// What it asks for.
    pub operation: Operation,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The write or the delete was acknowledged, at this version.
    Acknowledged {
        /// The version that its `ETag` names.
        version: u64,
    },
    /// There was no record to delete.
    NothingToDelete,
    /// There is a record.
    Found {
        /// The version that its `ETag` names.
        version: u64,
        /// The request that wrote it; `None` if its value is of no request of this workload.
        writer: Option<u64>,
    },
    /// There is no record.
    NotFound,
    /// It was refused, and certainly has no effect.
    Refused,
    /// Whether it has an effect, now or later, is unknown.
    Unknown,
}
