//! Texts for an operator about a Redis that belongs to another database.

use crate::binding::{CacheSite, Place, Verdict};

/// Says why a process with a memory cache must not serve a database that a Redis serves.
pub fn in_memory_in_words(cache: &CacheSite, mine: &Place, program: &str) -> String {
    format!(
        "with memory: {mine} is served by the Redis {cache}, which keeps values and maybe writes \
         that the database lacks. To go on without it, let the journal drain first, stop all \
         services and run `{program} identity move`"
    )
}

/// Says why the Redis is refused, and what the operator can do.
pub fn in_words(verdict: &Verdict, mine: &Place, program: &str) -> String {
    let found = match verdict {
        Verdict::Resharded { in_use, stated } => {
            return format!(
                "the data of {mine} is spread over {in_use} shards in Redis, and shards in its table \
                 cache_binding is {stated}: set it back to {in_use}"
            );
        }
        Verdict::ServedByOlder => {
            return format!(
                "processes of an older version serve {mine} by this Redis: let them drain the journal, \
                 replay or delete the dead letters, and stop them"
            );
        }
        Verdict::Undrained(entries) => {
            return format!(
                "{entries} acknowledged writes and dead letters of {mine} wait in this Redis, where only \
                 the older version that has put them there finds them: start that version, let it drain \
                 the journal, replay or delete the dead letters, and stop it"
            );
        }
        Verdict::Holds | Verdict::Binds | Verdict::Takes => String::new(),
        Verdict::Contends => format!(
            "this Redis is empty, and the processes that serve {mine} have some seconds to say \
             that they are served by another one"
        ),
        Verdict::Elsewhere(address) => format!(
            "{mine} is served by the Redis {address}, and this is another one, or another database \
             in it: all services on a database must share one. To go on with this one, let the \
             journal drain first and stop all services"
        ),
        Verdict::Served(other) if other.to_string() == mine.to_string() => format!(
            "processes serve this database, {mine}, on another server or before its tables were \
             recreated"
        ),
        Verdict::Served(other) => format!(
            "this Redis serves the database {other}, and {mine} has the same identity: one of \
             both is a copy"
        ),
        Verdict::Rebound(other) => format!(
            "this Redis has been bound to {other} since {mine} was served last: one of both is a \
             copy, or an older state"
        ),
        Verdict::Older => format!(
            "{mine} lacks writes that it had committed: an older state of it was restored, and \
             this Redis was not emptied"
        ),
        Verdict::Waiting(other, entries) => format!(
            "{entries} acknowledged writes wait in this Redis for the database {other}, and \
             {mine} is another one with the same identity"
        ),
    };
    format!(
        "{found}. For a copy, `{program} identity new` gives this database an identity of its own; \
         if this is the database to go on with, `{program} identity move` hands it this Redis"
    )
}
