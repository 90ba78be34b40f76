//! `write-through-svc`, put together from its own files, with an allocator that counts.

#[path = "../../../write-through-svc/src/app.rs"]
mod app;
#[path = "../counting.rs"]
mod counting;
#[path = "../../../write-through-svc/src/routes.rs"]
mod routes;

use std::process::ExitCode;

use cache_core::settings::Service;

fn main() -> ExitCode {
    let (version, about) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"));
    counting::run(Service::WriteThrough, version, about, app::start)
}
