//! The user of the examples in the description.

use cache_core::model::user::User;

/// The classic one.
pub(crate) fn john() -> User {
    User {
        name: "John Doe".to_owned(),
        age: 30,
        occupation: "Engineer".to_owned(),
    }
}
