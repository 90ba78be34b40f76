//! One service and one workload, from a service on fresh parts to what it made of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::drive::{Driven, Meter, Target, drive, fill};
use crate::error::{Error, Result};
use crate::fault::Lever;
use crate::final_state::{self, settle};
use crate::ledger::{Final, Ledger};
use crate::observe::{Observations, Observer, Watched, merge};
use crate::pattern::Pattern;
use crate::progress::Progress;
use crate::report::{Check, FaultSpan, Latency, ServiceReport};
use crate::site::{RunningService, Site};
use crate::stop::Stop;
use crate::workload::{Fault, Workload, record};

/// For how long, at most, the names are written before the workload begins.
const FILL_MAX: Duration = Duration::from_secs(30);

/// How long the workload runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// How often everything is looked at while it runs.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a database that has to take in everything may need for that.
const SETTLE_MAX_S: u32 = 120;

/// Starts the pattern's service, has it do the workload, and stops it. The names begin with
/// `prefix`.
///
/// # Errors
/// When the service cannot be started, reached or stopped, or the database cannot be read in
/// the end.
pub(crate) async fn measure(
    site: &Site,
    pattern: Pattern,
    workload: &Workload,
    prefix: &str,
    stop: Stop,
) -> Result<ServiceReport> {
    let service = site.start(pattern, workload.fault.is_some()).await?;
    let measured = measure_running(&service, workload, prefix, stop).await;
    let stopped = service.stop().await;
    let report = measured?;
    stopped?;
    Ok(report)
}

async fn measure_running(
    service: &RunningService,
    workload: &Workload,
    prefix: &str,
    stop: Stop,
) -> Result<ServiceReport> {
    let ledger = Arc::new(Ledger::new());
    prepare(service, workload, prefix, &ledger, &stop).await?;
    let before = ledger.acknowledged();

    let observer = Observer::start(Watched::of(service), LOOK_EVERY).await;
    let began = Instant::now();
    let fault = inject(service.database_lever(), workload.fault, began);
    let driven = send(service, workload, prefix, &ledger, stop).await;
    let fault = finish(fault, began).await;
    let settled_after_s = match &driven {
        Ok(_) => settle(service, SETTLE_MAX_S).await,
        Err(_) => None,
    };
    let observations = observer.stop().await.unwrap_or_default();
    let (driven, fault) = (driven?, fault?);

    let acknowledged = ledger.acknowledged() - before;
    let check = check(service, prefix, &ledger).await?;
    let mut timeline = driven.timeline();
    merge(&mut timeline, &observations, began.into_std());
    Ok(ServiceReport {
        timeline,
        settled_after_s,
        check: Some(check),
        fault,
        ..figures(service, &driven, &observations, acknowledged)
    })
}

/// Writes each name once, lets the service warm up, and waits until the database has
/// everything.
async fn prepare(
    service: &RunningService,
    workload: &Workload,
    prefix: &str,
    ledger: &Arc<Ledger>,
    stop: &Stop,
) -> Result<()> {
    let unwatched = Arc::new(Meter::default());
    let target = Target::find(service.pattern(), service.url(), prefix).await?;
    fill(
        &target,
        workload,
        FILL_MAX,
        ledger,
        &unwatched,
        stop.clone(),
    )
    .await?;
    let warm_up = Workload {
        duration: WARM_UP,
        bursts: None,
        fault: None,
        ..workload.clone()
    };
    // Of names of its own, so that the workload's own values are all different.
    let target = Target::find(service.pattern(), service.url(), &format!("{prefix}w")).await?;
    let apart = Arc::new(Ledger::new());
    drive(&target, &warm_up, &apart, &unwatched, stop.clone()).await?;
    settle(service, SETTLE_MAX_S).await;
    Ok(())
}

async fn send(
    service: &RunningService,
    workload: &Workload,
    prefix: &str,
    ledger: &Arc<Ledger>,
    stop: Stop,
) -> Result<Driven> {
    let target = Target::find(service.pattern(), service.url(), prefix).await?;
    let meter = Arc::new(Meter::default());
    let progress = Progress::start(service.pattern(), workload.duration, Arc::clone(&meter));
    let driven = drive(&target, workload, ledger, &meter, stop).await;
    progress.finish();
    driven
}

/// A fault that is done to a database, until it is over.
struct Injecting {
    fault: Fault,
    in_words: String,
    task: JoinHandle<Result<FaultSpan>>,
}

fn inject(lever: Option<&Lever>, fault: Option<Fault>, began: Instant) -> Option<Injecting> {
    let (lever, fault) = (lever?.clone(), fault?);
    let in_words = lever.in_words(fault.kind);
    let task = tokio::spawn(async move { lever.inject(&fault, began).await });
    Some(Injecting {
        fault,
        in_words,
        task,
    })
}

/// Waits for the end of the fault; ends it, where the workload was ended before.
async fn finish(injecting: Option<Injecting>, began: Instant) -> Result<Option<FaultSpan>> {
    let Some(Injecting {
        fault,
        in_words,
        task,
    }) = injecting
    else {
        return Ok(None);
    };
    let ended = began.elapsed();
    if ended < fault.until {
        task.abort();
    }
    match task.await {
        Ok(span) => span.map(Some),
        Err(error) if error.is_cancelled() => Ok((ended > fault.from).then_some(FaultSpan {
            what: in_words,
            from_s: fault.from.as_secs_f64(),
            until_s: ended.as_secs_f64(),
        })),
        Err(error) => Err(Error::failed("disturbing the database", error)),
    }
}

async fn check(service: &RunningService, prefix: &str, ledger: &Ledger) -> Result<Check> {
    let names = ledger.names();
    let names: Vec<String> = names
        .iter()
        .map(|name| record::name(prefix, *name))
        .collect();
    let state = final_state::read(service, prefix, &names).await?;
    let findings = ledger.check(|name| {
        let kept = state.kept.get(&record::name(prefix, name))?;
        let user = kept.user.as_ref()?;
        Some(Final {
            version: kept.version,
            writer: record::writer_in(&user.occupation),
        })
    });
    Ok(Check {
        acknowledged: findings.acknowledged,
        names: findings.names,
        names_uncertain: findings.names_uncertain,
        asked: state.asked,
        lost: findings.lost,
        stale_reads: findings.stale_reads,
        examples: findings.examples,
    })
}

fn figures(
    service: &RunningService,
    driven: &Driven,
    observations: &Observations,
    acknowledged: u64,
) -> ServiceReport {
    ServiceReport {
        pattern: service.pattern(),
        url: service.url().to_string(),
        seconds: driven.seconds,
        due: driven.due,
        unsent: driven.unsent,
        per_second: driven.per_second(),
        acknowledged,
        failed_latency: driven.failed_latency(),
        operations: driven.operation_reports(),
        latency: driven.latency(),
        percentiles: driven.percentiles(),
        errors: driven.errors.clone(),
        timeline: Vec::new(),
        commit_lag: match service.pattern() {
            // It was committed before it was answered.
            Pattern::WriteThrough => Some(Latency {
                count: acknowledged,
                ..Latency::default()
            }),
            Pattern::WriteBehind => observations.commit_lag(),
        },
        settled_after_s: None,
        database: observations.database(acknowledged),
        cache: driven.cache,
        journal: observations.journal(),
        processes: observations.processes().to_vec(),
        others_cpu_share: observations.others_share(),
        check: None,
        fault: None,
    }
}
