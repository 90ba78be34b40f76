//! What a part says of itself when it is asked whether it works.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

/// One part's state, as `/readyz` shows it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct PartHealth {
    /// The product: `memory`, `redis`, `file`, `sqlite`, `mysql`.
    pub kind: &'static str,
    /// Where it is, without credentials.
    pub at: String,
    /// Whether it answered.
    pub up: bool,
    /// What is wrong, when it is not up. Names no server and no statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub problem: Option<Cow<'static, str>>,
    /// What an operator should look at although it is up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub warning: Option<Cow<'static, str>>,
    /// Since when it is unavailable, as a time of RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub since: Option<String>,
    /// What follows for the service's clients meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub consequence: Option<Cow<'static, str>>,
    /// Whether an answer from it survives less than a crash of its server.
    #[serde(skip)]
    pub survives_little: bool,
    /// What an answer from this part survives, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub durability: Option<String>,
}
