//! `write-through-svc`: a write is answered when the database has committed it
//! and the cache holds it.

mod app;
mod routes;

use std::process::ExitCode;

use cache_core::settings::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let (version, about) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"));
    cache_http::process::run(cache_http::process::main(
        Service::WriteThrough,
        version,
        about,
        app::start,
    ))
}
