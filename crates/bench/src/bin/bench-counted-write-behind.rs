//! `write-behind-svc`, put together from its own files, with an allocator that counts.

#[path = "../../../write-behind-svc/src/app.rs"]
mod app;
#[path = "../counting.rs"]
mod counting;
#[path = "../../../write-behind-svc/src/dead_letters.rs"]
mod dead_letters;
#[path = "../../../write-behind-svc/src/journal.rs"]
mod journal;
#[path = "../../../write-behind-svc/src/letter_filter.rs"]
mod letter_filter;
#[path = "../../../write-behind-svc/src/replay.rs"]
mod replay;
#[path = "../../../write-behind-svc/src/routes.rs"]
mod routes;

use std::process::ExitCode;

use cache_core::settings::Service;

fn main() -> ExitCode {
    let (version, about) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"));
    counting::run(Service::WriteBehind, version, about, app::start)
}
