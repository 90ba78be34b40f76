//! Which dead letters a call is about.

use cache_core::model::dead_letter::LetterQuery;
use cache_http::description::{Call, ENGINE, PARAMETERS, position, query};
use cache_http::query::Query;

/// What the query says about letters: `name_prefix` and `reason`.
pub(crate) fn filter(query: &mut Query) -> LetterQuery {
    LetterQuery {
        name_prefix: query.text("name_prefix"),
        reason: query.text("reason"),
        ..LetterQuery::default()
    }
}

/// What a call that takes a filter has in common with others.
pub(crate) fn filtered(call: Call) -> Call {
    call.takes(query(
        "name_prefix",
        "Only letters whose names begin with this.",
        position(),
    ))
    .takes(query(
        "reason",
        "Only letters whose reasons contain this.",
        position(),
    ))
    .refuses(PARAMETERS)
    .refuses(ENGINE)
}
