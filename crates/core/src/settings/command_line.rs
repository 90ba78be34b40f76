//! The command line: the subcommands and their options.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::settings::Settings;

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Serve until told to stop.
    Serve(Box<Settings>),
    /// Bring the database up to date and exit.
    Migrate(Box<Settings>, MigrateOptions),
    /// Show the binding, renew the identity or hand over the binding, and exit.
    Identity(IdentityAction, Box<Settings>),
    /// Show or salvage the file journal, and exit.
    Journal(JournalAction, Box<Settings>),
    /// Forget that the service relies on its cache for good, and exit.
    Release(Box<Settings>),
    /// Print what each part holds of one name, and exit.
    Inspect(InspectOptions, Box<Settings>),
    /// Write the users of a file, and exit.
    Import(ImportOptions, Box<Settings>),
    /// Write all users to a file, and exit.
    Export(ExportOptions, Box<Settings>),
    /// Ask the service that listens as the settings say how it is, and exit.
    Healthcheck {
        /// What `LISTEN` says.
        listen: SocketAddr,
        /// Whether there is a `TLS_CERT_FILE`.
        speaks_tls: bool,
        /// Whether to ask if it can serve, rather than if it lives.
        ready: bool,
    },
    /// Make a token, print it and its line for `AUTH_TOKENS_FILE`, and exit.
    Token(TokenOptions),
    /// Print this and exit with this code.
    Print(String, u8),
}

/// How `migrate` adopts a `users` table that another program has made.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrateOptions {
    /// Which row of each name stays. The others, and rows that break the rules, are moved
    /// to the table users_set_aside. Without this, such rows end `migrate` with exit code 64.
    #[arg(long, value_name = "ROWS")]
    pub adopt: Option<Adopt>,
    /// Say what would be done and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Which row of each name stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Adopt {
    /// The one with the largest id.
    Newest,
}

#[derive(Debug, Parser)]
pub(super) struct Arguments {
    /// A TOML file with settings, under the environment's [env: CONFIG_FILE].
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) action: Option<Action>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Bring the database and its tables up to date, then exit. A `users` table of the
    /// classic demos is adopted, however large.
    Migrate(MigrateOptions),
    /// Show or change which database Redis and the journal belong to, after it was copied,
    /// moved or restored.
    Identity {
        #[command(subcommand)]
        action: IdentityAction,
    },
    /// Show the files of the file journal, or copy what is whole of a damaged one.
    Journal {
        #[command(subcommand)]
        action: JournalAction,
    },
    /// Let the other service bypass the cache again, after the last process of this one has
    /// stopped and its journal is empty. Stop all services first.
    Release,
    /// Print what cache, journal, dead letters and database hold of one name, and which value a reader
    /// gets. Only reads, also while services run. Exit code 1 when a part could not be read.
    Inspect(InspectOptions),
    /// Make a token for a client, and print it with its line for AUTH_TOKENS_FILE. Changes no file and
    /// needs no setting.
    Token(TokenOptions),
    /// Write the users of a CSV or NDJSON file. Without --to, this process does it itself, on cache,
    /// journal and database of the settings. Exit code 2 when lines were refused, 1 when it ended early.
    Import(ImportOptions),
    /// Write all users of the database to a CSV or NDJSON file, or to standard output.
    Export(ExportOptions),
    /// Ask the service that runs here whether it lives: exit code 0 if so, else 1. Needs
    /// no setting but LISTEN.
    Healthcheck {
        /// Ask whether it can serve: /readyz rather than /healthz.
        #[arg(long)]
        ready: bool,
    },
}

/// Which name, and how it is printed.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct InspectOptions {
    /// The name of the user.
    pub name: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The client that a token is made for, and what the token allows.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct TokenOptions {
    /// What the token allows. Each right includes those before it.
    #[arg(value_parser = ["read", "write", "admin"])]
    pub right: String,
    /// What the log calls its holder: at most 64 letters, digits, `.`, `_` and `-`.
    pub name: String,
}

/// Which file is written to the database, and how.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ImportOptions {
    /// The file; - is standard input.
    pub file: PathBuf,
    /// Its form, where the extension .csv, .ndjson or .jsonl does not say it.
    #[arg(long, value_name = "FORM")]
    pub format: Option<FileFormat>,
    /// Write every refused line to this file, as a batch answers it.
    #[arg(long, value_name = "FILE")]
    pub errors: Option<PathBuf>,
    /// Leave out the lines up to this one.
    #[arg(
        long,
        value_name = "LINE",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub skip: u64,
    /// Send the users to the service that runs at this URL, such as http://localhost:8081.
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// With --to: send the token in this file, which has one line.
    #[arg(long, value_name = "FILE", requires = "to")]
    pub token_file: Option<PathBuf>,
    /// With --to: trust the CA certificates in this file (PEM), not those of the system.
    #[arg(long, value_name = "FILE", requires = "to")]
    pub ca_file: Option<PathBuf>,
    /// End when the journal has all, rather than the database (write-behind).
    #[arg(long)]
    pub no_wait: bool,
}

/// Where all users are written to.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// The file, which is replaced in one step at the end; standard output if there is none, or -.
    pub file: Option<PathBuf>,
    /// Its form, where the extension .csv, .ndjson or .jsonl does not say it.
    #[arg(long, value_name = "FORM")]
    pub format: Option<FileFormat>,
}

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// Comma-separated values; the first line names the columns.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

/// What to do about the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum IdentityAction {
    /// Print the identity, and whether this Redis belongs to this database.
    Show,
    /// Give this database an identity of its own: for a copy that is to run beside the
    /// original. Changes nothing in Redis.
    New,
    /// Hand Redis and journal to this database: for one that was moved or restored. Forgets
    /// what is cached; what waits in the journal is then drained into this database. Stop all
    /// services first.
    Move,
}

/// What to do about the file journal.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum JournalAction {
    /// List its files with offsets, counts, versions and damage, and whether a start takes
    /// it. Only reads, also while a service runs.
    Show {
        /// A line for each batch as well.
        #[arg(long)]
        frames: bool,
    },
    /// Copy all that is whole to a new journal that a start takes, and list what was left
    /// out. The original stays as it is. Stop the service first.
    Salvage {
        /// The folder of the new journal, which is not there yet.
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
}
