//! A page that shows both services side by side as they run.

mod controls;
mod load;
mod watch;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::rt::time::timeout;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use std::time::Duration;

use crate::arguments::Arguments;
use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::run::{parts, prepare};
use crate::site::{Parts, RunningService, Site};
use crate::stop::{Stop, told};
use controls::Controls;

/// How long requests that are under way may take once the page is to be served no longer.
const STOP_MAX: Duration = Duration::from_secs(3);

/// Starts both services at once, or finds them, and serves the page until `stop`.
///
/// # Errors
/// For what makes no sense; when a service or a server does not do what is needed, or the
/// address of the page is taken.
pub async fn serve(arguments: &Arguments, stop: Stop) -> Result<()> {
    let workload = arguments.workload.workload()?;
    let parts = parts(&arguments.parts)?;
    // Before anything is built or started.
    let listener = TcpListener::bind(arguments.listen)
        .map_err(|error| Error::failed(format_args!("listening on {}", arguments.listen), error))?;
    let may_pause = !matches!(parts, Parts::Running { .. });
    let site = prepare(&arguments.parts, parts).await?;
    let mut services = Vec::new();
    let served = async {
        start(&site, may_pause, &mut services).await?;
        if arguments.workload.is_asked_for() {
            load::send_to_all(&services, &workload, &stop).await?;
        }
        serve_page(listener, &services, &stop).await
    }
    .await;
    let mut outcome = served;
    for service in services {
        outcome = outcome.and(service.stop().await);
    }
    outcome.and(site.clean_up().await)
}

async fn start(site: &Site, may_pause: bool, services: &mut Vec<RunningService>) -> Result<()> {
    for pattern in Pattern::BOTH {
        services.push(site.start(pattern, may_pause).await?);
    }
    Ok(())
}

async fn serve_page(listener: TcpListener, services: &[RunningService], stop: &Stop) -> Result<()> {
    let failed = |error: io::Error| Error::failed("serving the page", error);
    let address = listener.local_addr().map_err(failed)?;
    let controls = Data::from(Arc::new(Controls::over(services, stop.clone())));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(controls.clone())
            .configure(controls::configure)
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .map_err(failed)?
    .run();
    let handle = server.handle();
    let running = tokio::spawn(server);
    for service in services {
        println!("{}  {}", service.pattern().name(), service.url());
    }
    println!("listening  http://{address}/");
    told(&mut stop.clone()).await;
    if timeout(STOP_MAX, handle.stop(true)).await.is_err() {
        running.abort();
    }
    Ok(())
}
