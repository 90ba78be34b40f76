//! The parameters of calls that write, for the document of the service.

use crate::description::{Call, choice, query, whole_number};
use crate::durability::{LEVELS, TIMEOUT_S_DEFAULT, TIMEOUT_S_MAX};

/// Describes the parameters of a call that writes.
pub(crate) fn taken_by(call: Call) -> Call {
    let timeout_s = whole_number(0..=TIMEOUT_S_MAX, TIMEOUT_S_DEFAULT);
    call.takes(query(
        "durability",
        "`persisted` waits until the database has committed the write. write-through-svc always does.",
        choice(LEVELS),
    ))
    .takes(query(
        "timeout_s",
        "How many seconds to wait for that. Past them the answer is `504`, and the write stays in the journal.",
        timeout_s,
    ))
}
