//! What ends a comparison.

/// Either what was asked for does not make sense, or something that it needs failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line asks for what cannot be done. Says what to ask for instead.
    #[error("{0}")]
    Usage(String),
    /// A service, a server or a file did not do what was needed. Says which and why.
    #[error("{0}")]
    Failed(String),
    /// The tool was told to stop before there was anything to report.
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// What was being done, and why it failed.
    pub fn failed(doing: impl std::fmt::Display, why: impl std::fmt::Display) -> Error {
        Error::Failed(format!("{doing}: {why}"))
    }
}

/// A result whose error ends the comparison.
pub type Result<T> = std::result::Result<T, Error>;
