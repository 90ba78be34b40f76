//! A page that shows both services side by side as they run.

mod controls;
mod guard;
mod load;
mod shown;
mod watch;
mod words;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::rt::time::timeout;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use std::time::Duration;

use crate::arguments::{Arguments, WorkloadArguments};
use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::run::{parts, prepare};
use crate::site::Backends;
use crate::stop::{Stop, told};
use crate::workload::{Rate, Workload};
use controls::Controls;
use shown::Shown;

/// How long requests that are under way may take once the page is to be served no longer.
const STOP_MAX: Duration = Duration::from_secs(3);

/// What is sent unless a workload is asked for: few enough requests to leave the page its processor.
const RATE: f64 = 200.0;
const NAMES: u32 = 1_000;

/// Starts both services at once, or finds them, and serves the page until `stop`.
///
/// # Errors
/// For what makes no sense; when a service or a server does not do what is needed, or the
/// address of the page is taken.
pub async fn serve(arguments: &Arguments, stop: Stop) -> Result<()> {
    let mut workload = arguments.workload.workload()?;
    check(arguments, &workload)?;
    if arguments.workload == WorkloadArguments::default() {
        workload.rate = Rate::PerSecond(RATE);
        workload.names = NAMES;
    }
    let parts = parts(&arguments.parts);
    // Before anything is built or started.
    let listener = TcpListener::bind(arguments.listen)
        .map_err(|error| Error::failed(format_args!("listening on {}", arguments.listen), error))?;
    let may_pause = !matches!(parts, Backends::Running { .. });
    let site = prepare(&arguments.parts, parts, &stop).await?;
    let mut services: Vec<Shown> = Vec::new();
    let served = async {
        for pattern in Pattern::BOTH {
            let service = match may_pause {
                true => site.start_breakable(pattern).await?,
                false => site.start(pattern, false).await?,
            };
            services.push(Shown::new(service));
        }
        load::send_to_all(&services, &workload, &stop).await?;
        serve_page(listener, &services, &stop).await
    }
    .await;
    let mut outcome = served;
    for service in services {
        if let Some(running) = service.running.lock().await.take() {
            outcome = outcome.and(running.stop().await);
        }
    }
    outcome.and(site.clean_up().await)
}

/// Refuses what would have no effect.
fn check(arguments: &Arguments, workload: &Workload) -> Result<()> {
    let refused = |why: &str| Err(Error::Usage(why.to_owned()));
    if workload.fault.is_some() {
        return refused(
            "--live disturbs no database by itself: the page has a button for that. Leave out \
             --outage, --slow-down and presets that disturb it",
        );
    }
    if arguments.workload.duration.is_some() {
        return refused("--live goes on until Ctrl-C: leave out --duration");
    }
    Ok(())
}

async fn serve_page(listener: TcpListener, services: &[Shown], stop: &Stop) -> Result<()> {
    let failed = |error: io::Error| Error::failed("serving the page", error);
    let address = listener.local_addr().map_err(failed)?;
    let controls = Data::from(Arc::new(Controls::over(services, stop.clone()).await));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(controls.clone())
            .wrap(from_fn(guard::own_page_only))
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
        println!("{}  http://{}/", service.pattern.name(), service.address);
    }
    println!("listening  http://{address}/");
    told(&mut stop.clone()).await;
    if timeout(STOP_MAX, handle.stop(true)).await.is_err() {
        running.abort();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn what_has_no_effect_on_the_page_is_refused() {
        let checked = |words: &[&str]| {
            let words = ["compare", "--live"].iter().chain(words);
            let arguments = Arguments::try_parse_from(words).unwrap();
            check(&arguments, &arguments.workload.workload().unwrap())
        };
        checked(&[]).unwrap();
        checked(&["--rate", "5", "--names", "10"]).unwrap();
        for (words, says) in [
            (&["--outage"][..], "button"),
            (&["--slow-down", "5"], "button"),
            (&["--preset", "database-outage"], "button"),
            (&["--duration", "5"], "--duration"),
        ] {
            match checked(words) {
                Err(Error::Usage(sentence)) => assert!(sentence.contains(says), "{sentence}"),
                other => panic!("{words:?}: {other:?}"),
            }
        }
        for words in [&["--output", "."][..], &["--no-ceiling"]] {
            let words = ["compare", "--live"].iter().chain(words);
            assert!(Arguments::try_parse_from(words).is_err());
        }
    }
}
