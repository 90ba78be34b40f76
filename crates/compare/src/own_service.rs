//! Handlers of the tool's own, each served by a process of its own, as the services are: one that
//! does nothing, and plain ones to compare the services with.

mod naive;
mod no_op;

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::thread;

use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};

use crate::error::{Error, Result};
use crate::say::say;
use crate::site::process::ServiceProcess;
use crate::site::{NAIVE, SERVES};

const NO_OP: &str = "no-op";

/// What such a process does: says on standard output where it listens, and serves until it is
/// ended.
pub fn main(serves: &str) -> ExitCode {
    // The server has a runtime of its own, which must not be made inside another.
    let served = match serves {
        NAIVE => thread::spawn(|| serve(naive::routes())),
        _ => thread::spawn(|| serve(Ok(no_op::routes()))),
    };
    match served.join() {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            say(&format!("the tool's own service: {error}"));
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve<R>(routes: Result<R>) -> Result<()>
where
    R: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let routes = routes?;
    let failed = |why: std::io::Error| Error::failed("serving", why);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    println!(
        "listening  http://{}",
        listener.local_addr().map_err(failed)?
    );
    let server = HttpServer::new(move || App::new().configure(routes.clone()))
        .listen(listener)
        .map_err(failed)?
        .shutdown_timeout(1);
    actix_web::rt::System::new()
        .block_on(server.run())
        .map_err(failed)
}

/// The handler that does nothing, as a process. Dropping it kills it.
#[derive(Debug)]
pub struct OwnService(ServiceProcess);

impl OwnService {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_no_op() -> Result<OwnService> {
        let tool = env::current_exe().map_err(|why| Error::failed("looking for the tool", why))?;
        let settings = [(SERVES, NO_OP.to_owned())];
        let process = ServiceProcess::start(&tool, &env::temp_dir(), &settings).await?;
        Ok(OwnService(process))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}
