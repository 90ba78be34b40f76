//! What a token allows, and what a route needs.

use std::rc::Rc;

use actix_web::http::Method;

/// A right. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// What needs no token.
    Anyone,
    /// Reading users, figures and the journal's state.
    Read,
    /// Writing and deleting users, and forgetting the cached value of one.
    Write,
    /// Dead letters, `POST /flush` and `DELETE /cache`.
    Admin,
}

impl Right {
    /// Those that a token may have.
    pub(super) const OF_TOKENS: [Right; 3] = [Right::Read, Right::Write, Right::Admin];

    /// Its name in the file of tokens, in challenges and in the OpenAPI document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Right::Anyone => "anyone",
            Right::Read => "read",
            Right::Write => "write",
            Right::Admin => "admin",
        }
    }
}

/// What each method of a resource needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rights(Rc<[(Method, Right)]>);

impl Rights {
    /// Of these methods.
    pub(crate) fn new(rights: Vec<(Method, Right)>) -> Rights {
        Rights(rights.into())
    }

    /// What a method needs. `OPTIONS` needs nothing: a browser asks by it, without a token, what it may send.
    pub(crate) fn of(&self, method: &Method) -> Right {
        if *method == Method::OPTIONS {
            return Right::Anyone;
        }
        let listed = self.0.iter().find(|(listed, _)| listed == method);
        listed.map_or(Right::Read, |(_, right)| *right)
    }
}
