//! Who may call what: a bearer token a client (RFC 6750), and a right that each route needs.
//!
//! A route declares its right where it is added ([`crate::resource`]), and the exchange asks for it before the
//! route is called. A method or a path that no route has needs the right to read.

mod bearer;
mod right;
mod tokens;

use std::path::Path;
use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use cache_core::error::Result;
use cache_core::process::file_watch::FileWatch;
use cache_core::settings::TokenOptions;

pub use right::Right;
pub(crate) use right::Rights;

use crate::problem::Problem;
use bearer::Credentials;
use tokens::{Token, Tokens};

/// The setting that names the file of the tokens.
const FILE_KEY: &str = "AUTH_TOKENS_FILE";

/// The clients that are known.
#[derive(Clone, Debug)]
pub struct Auth {
    tokens: FileWatch<Tokens>,
}

/// A client that has shown a token.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The name in the token's line.
    pub(crate) name: Arc<str>,
    right: Right,
}

impl Auth {
    /// Reads the tokens, and reads them again when the file changes.
    ///
    /// # Errors
    /// `BadSetting` with the line that is wrong.
    pub(crate) fn start(file: &Path) -> Result<Auth> {
        let files = vec![(FILE_KEY, file.to_owned())];
        let parse = |contents: &[Vec<u8>]| {
            let parsed = Tokens::parse(contents.first().map_or(&[], Vec::as_slice));
            parsed.map_err(|reason| (FILE_KEY, reason))
        };
        Ok(Auth {
            tokens: FileWatch::start(files, parse)?,
        })
    }

    /// Who sends a request; `None` where it has no token.
    ///
    /// # Errors
    /// `401` for a token that is none of the file's, `400` for several.
    pub(crate) fn client(
        &self,
        headers: &HeaderMap,
    ) -> std::result::Result<Option<Client>, Problem> {
        match bearer::credentials(headers) {
            Credentials::None => Ok(None),
            Credentials::Several => Err(bearer::several()),
            Credentials::Token(token) => match self.tokens.value().find(token) {
                Some(Token { name, right, .. }) => Ok(Some(Client {
                    name: name.clone(),
                    right: *right,
                })),
                None => Err(bearer::unknown_token()),
            },
        }
    }

    /// Whether the sender of a request has this right.
    pub(crate) fn allows(&self, headers: &HeaderMap, right: Right) -> bool {
        matches!(self.client(headers), Ok(Some(client)) if client.right >= right)
    }

    /// Why the file is not used as it is now, if it is not.
    pub(crate) fn warning(&self) -> Option<String> {
        self.tokens.refused()
    }
}

/// Refuses a client that does not have the right.
///
/// # Errors
/// `401` without a token, `403` with one that allows less.
pub(crate) fn check(client: Option<&Client>, needed: Right) -> std::result::Result<(), Problem> {
    match client {
        _ if needed == Right::Anyone => Ok(()),
        Some(client) if client.right >= needed => Ok(()),
        Some(_) => Err(bearer::insufficient(needed)),
        None => Err(bearer::missing()),
    }
}

/// What the subcommand `token` prints: a new token, and its line.
///
/// # Errors
/// What is wrong with the name, or why the system has no random numbers.
pub(crate) fn make_token(options: &TokenOptions) -> std::result::Result<String, String> {
    let (token, line) = tokens::make(&options.right, &options.name)?;
    Ok(format!(
        "For the client, shown this once:\n{token}\n\nFor {FILE_KEY}:\n{line}\n"
    ))
}
