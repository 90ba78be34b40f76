//! `write-behind-svc`: a write is answered when the cache holds it and a durable
//! journal has it; a drainer takes it to the database afterwards.

mod app;
mod dead_letters;
mod journal;
mod letter_filter;
mod replay;
mod routes;

use std::process::ExitCode;

use cache_core::settings::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let (version, about) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"));
    cache_http::process::run(cache_http::process::main(
        Service::WriteBehind,
        version,
        about,
        app::start,
    ))
}
