//! An allocator that counts allocations, and a socket that reports the counts to each client.

use std::alloc::System;
use std::future::Future;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::process::ExitCode;
use std::thread;

use cache_core::error::Error;
use cache_core::settings::{Service, Settings};
use cache_http::process;
use cache_http::resource::Routes;
use cache_http::server::Started;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// What is asked of an allocator does not depend on which one it is, so this one need not be fast.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What the `main` of a counted service is: tells the counts, and then is the service's own.
pub(crate) fn run<F, R>(
    service: Service,
    version: &'static str,
    about: &'static str,
    start: impl FnOnce(Settings) -> F,
) -> ExitCode
where
    F: Future<Output = Result<(Started, R), Error>> + Send + 'static,
    R: Fn(&mut Routes) + Clone + Send + 'static,
{
    if let Err(error) = tell_counts() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    process::run(process::main(service, version, about, start))
}

/// Says on standard output where the counts are told: each connection is sent allocations, reallocations
/// and bytes, and is closed.
///
/// # Errors
/// When no port is free.
fn tell_counts() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("allocations at {}", listener.local_addr()?);
    thread::Builder::new().spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let counts = ALLOCATOR.stats();
            // A client that has disconnected needs no answer.
            let _ = writeln!(
                connection,
                "{} {} {}",
                counts.allocations, counts.reallocations, counts.bytes_allocated
            );
        }
    })?;
    Ok(())
}
