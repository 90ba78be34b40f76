//! URLs on the command line, which may have passwords.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use url::Url;

use crate::service_url;

/// Takes a URL. Where it is none that can be used, says so without repeating it, which clap's own
/// parsers do.
#[derive(Clone, Copy, Debug)]
pub(super) struct UrlParser {
    check: fn(&Url) -> crate::error::Result<()>,
}

impl UrlParser {
    /// Of a server. Whether it is one of the right kind is looked at later.
    pub(super) fn server() -> UrlParser {
        UrlParser { check: |_| Ok(()) }
    }

    /// Of a service: a host and a port.
    pub(super) fn service() -> UrlParser {
        UrlParser {
            check: service_url::check,
        }
    }
}

impl TypedValueParser for UrlParser {
    type Value = Url;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Url, Error> {
        let refused = |why: String| {
            let option = arg.map(|arg| format!("{arg}: ")).unwrap_or_default();
            Error::raw(ErrorKind::ValueValidation, format!("{option}{why}\n")).with_cmd(command)
        };
        let text = value.to_str();
        let text = text.ok_or_else(|| refused("a URL is written in UTF-8".to_owned()))?;
        let url = Url::parse(text).map_err(|why| refused(format!("not a URL: {why}")))?;
        (self.check)(&url).map_err(|why| refused(why.to_string()))?;
        Ok(url)
    }
}
