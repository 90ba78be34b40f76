//! The one table of problem types: what is answered as `type`, at `/problems`, and in `docs/errors.md`.

use actix_web::http::StatusCode;

/// One row of the table.
#[derive(Debug)]
struct Row {
    path: &'static str,
    status: StatusCode,
    title: &'static str,
    meaning: &'static str,
    advice: &'static str,
}

macro_rules! kinds {
    ($($kind:ident $name:literal $status:ident $title:literal $meaning:literal $advice:literal;)+) => {
        /// A type of problem: what a client handles in one way.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $(
                #[doc = $title]
                $kind,
            )+
        }

        impl Kind {
            /// Every type, in the order of their statuses.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),+];

            fn row(self) -> &'static Row {
                match self {
                    $(Kind::$kind => &Row {
                        path: concat!("/problems/", $name),
                        status: StatusCode::$status,
                        title: $title,
                        meaning: $meaning,
                        advice: $advice,
                    },)+
                }
            }
        }
    };
}

kinds! {
    InvalidJson "invalid-json" BAD_REQUEST
        "The body is not JSON"
        "The body is empty, not UTF-8 or not JSON. `position` has line and column, in bytes."
        "Correct the body. Nothing was done.";
    MalformedRequest "malformed-request" BAD_REQUEST
        "The request cannot be read"
        "The path, the query, `If-Match` or `If-None-Match` is malformed, or the body ends early."
        "Correct the request. Nothing was done.";
    Unauthorized "unauthorized" UNAUTHORIZED
        "The call needs a token"
        "`Authorization` has no bearer token, or one that is not in `AUTH_TOKENS_FILE`."
        "Send `Authorization: Bearer TOKEN` with a token of the service. Nothing was done.";
    InsufficientRight "insufficient-right" FORBIDDEN
        "The token does not allow the call"
        "The call needs a greater right than the token has; `detail` names it."
        "Use a token that has the right. Nothing was done.";
    ForeignOrigin "foreign-origin" FORBIDDEN
        "A page of another origin may not do this"
        "A browser sends a request that may change something for a page of another origin."
        "Call from a page of the service, or list the origin in `ALLOWED_ORIGINS`. Nothing was done.";
    NotFound "not-found" NOT_FOUND
        "There is none of this name"
        "There is no such user or no such dead letter."
        "Take it as the answer.";
    NoSuchRoute "no-such-route" NOT_FOUND
        "There is no such route"
        "This service does not have the path. `detail` names the other service if that one has it."
        "Correct the URL.";
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED
        "The route has no such method"
        "`Allow` lists the methods of the route."
        "Use one of them. Nothing was done.";
    RequestTimeout "request-timeout" REQUEST_TIMEOUT
        "The request did not arrive in time"
        "Head and body took over 30 seconds."
        "Send it again. Nothing was done.";
    StillRefused "still-refused" CONFLICT
        "The database still refuses the dead letter"
        "The replayed write was refused again and stays among the dead letters."
        "Read its reason, and put that right or delete the dead letter.";
    PreconditionFailed "precondition-failed" PRECONDITION_FAILED
        "A precondition does not hold"
        "The user is not as `If-Match` or `If-None-Match` asks. Nothing was done."
        "Read the user, and decide again. After an `outcome-unknown` your own write may be the reason.";
    BodyTooLarge "body-too-large" PAYLOAD_TOO_LARGE
        "The body is too large"
        "The body has over 16 KiB, which no valid one has."
        "Send less. Nothing was done.";
    UnsupportedMediaType "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE
        "The body has another media type than the call takes"
        "`Content-Type` is not `application/json`, or of a batch not `application/x-ndjson`. `detail` names it."
        "Send it as that. Nothing was done.";
    UnknownHost "unknown-host" MISDIRECTED_REQUEST
        "Browsers do not reach the service by this host name"
        "A browser uses a host name that is neither `localhost`, an IP address nor in `ALLOWED_ORIGINS`."
        "Use one of these. Nothing was done.";
    Validation "validation" UNPROCESSABLE_ENTITY
        "The request breaks a rule"
        "Fields of the body or the query are missing, unknown or wrong. `errors` has every one."
        "Correct the fields. Nothing was done.";
    RefusedByDatabase "refused-by-database" UNPROCESSABLE_ENTITY
        "The database refuses the record"
        "The record keeps the rules, and the database does not take it. Nothing was written."
        "Do not repeat it. The log of the service has the reason.";
    DeadLetter "dead-letter" UNPROCESSABLE_ENTITY
        "The write is among the dead letters"
        "The journal took the write, and the database refuses it."
        "Do not repeat it. `GET /dead-letters` has the reason.";
    RateLimited "rate-limited" TOO_MANY_REQUESTS
        "The client sends too many requests"
        "The client, or its address, has sent more than `RATE_LIMIT_PER_S` and `RATE_LIMIT_BURST` allow."
        "Repeat it after `Retry-After`, and send less. Nothing was done.";
    BrokenRow "broken-row" INTERNAL_SERVER_ERROR
        "Another program has written a row that breaks a rule"
        "The user's row in the database is no valid user."
        "Write or delete the user, which replaces the row.";
    Internal "internal" INTERNAL_SERVER_ERROR
        "Something went wrong in the service"
        "A defect, or data that cannot be read. The outcome of a write is unknown."
        "Report it with the log. Repeating a write is safe.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE
        "A part is unavailable"
        "The cache, the journal or the database does not answer. Nothing was written."
        "Repeat it after `Retry-After`.";
    OutcomeUnknown "outcome-unknown" SERVICE_UNAVAILABLE
        "It is unknown whether the write took place"
        "A part failed while the write was on its way."
        "Repeat the write after `Retry-After`, which is safe, or read the user.";
    PersistenceUnknown "persistence-unknown" SERVICE_UNAVAILABLE
        "It is unknown whether the database has the write"
        "The journal has the write, and what was waited for failed."
        "Do not repeat it. It reaches the database or the dead letters by itself.";
    BacklogFull "backlog-full" SERVICE_UNAVAILABLE
        "The journal is full"
        "As much waits for the database as may. Nothing was written. Reads go on."
        "Repeat the write after `Retry-After`, which follows from how fast the journal drains.";
    WritesRefused "writes-refused" SERVICE_UNAVAILABLE
        "A server is not set up as the promises need it"
        "Something about Redis or the database endangers acknowledged writes. Nothing was written."
        "An operator puts right what `detail` says. Repeat the write after `Retry-After`.";
    Contention "contention" SERVICE_UNAVAILABLE
        "Another write is in the way"
        "Another write or transaction on this user, or a change of how the cache is used. Nothing was written."
        "Repeat the write after `Retry-After`.";
    Overloaded "overloaded" SERVICE_UNAVAILABLE
        "Too much is under way"
        "Too many writes wait, too many requests or large answers are under way, or too many watch. Nothing was written."
        "Repeat it after `Retry-After`, and send less at the same time.";
    Stopping "stopping" SERVICE_UNAVAILABLE
        "The service is stopping"
        "This process takes no more writes. Nothing was written."
        "Repeat the write on a new connection.";
    NotPersisted "not-persisted" GATEWAY_TIMEOUT
        "The database does not have it yet"
        "`timeout_s` was over first. What was acknowledged stays in the journal, and will be in the database."
        "Do not repeat a write. `POST /flush` waits again.";
}

impl Kind {
    /// Its `type`: a reference that resolves at the service itself.
    pub fn path(self) -> &'static str {
        self.row().path
    }

    /// The last segment of the path.
    pub fn name(self) -> &'static str {
        let path = self.path();
        path.rsplit_once('/').map_or(path, |(_, name)| name)
    }

    /// The status of all its answers.
    pub fn status(self) -> StatusCode {
        self.row().status
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// What has happened.
    pub fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// What a client does about it.
    pub fn advice(self) -> &'static str {
        self.row().advice
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn documented(kind: Kind) -> String {
        format!(
            "| `{}` | `{}` | {} | {} |",
            kind.path(),
            kind.status().as_u16(),
            kind.meaning(),
            kind.advice()
        )
    }

    #[test]
    fn the_document_has_exactly_the_types_of_the_table() {
        let document = include_str!("../../../../docs/errors.md");
        let rows = document.lines().filter(|line| line.starts_with("| `"));
        let rows: Vec<String> = rows.map(str::to_owned).collect();
        let expected: Vec<String> = Kind::ALL.iter().copied().map(documented).collect();
        assert_eq!(rows, expected, "\n{}", expected.join("\n"));
    }

    #[test]
    fn names_are_unique_and_statuses_in_order() {
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!(Kind::ALL.is_sorted_by_key(|kind| kind.status()));
    }
}
