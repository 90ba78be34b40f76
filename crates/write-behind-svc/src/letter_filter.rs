//! Which dead letters a call is about.

use cache_core::model::dead_letter::LetterQuery;
use cache_http::query::Query;

/// What the query says about letters: `name_prefix` and `reason`.
pub(crate) fn filter(query: &mut Query) -> LetterQuery {
    LetterQuery {
        name_prefix: query.text("name_prefix"),
        reason: query.text("reason"),
        ..LetterQuery::default()
    }
}
