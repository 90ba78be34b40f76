//! One service and one workload, from a service on fresh parts to what it made of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::drive::{Driven, Target, drive, fill};
use crate::error::{Error, Result};
use crate::fault::Lever;
use crate::final_state::{self, settle};
use crate::ledger::{Final, Ledger};
use crate::observe::{Observations, Observer, Watched};
use crate::pattern::Pattern;
use crate::report::{Check, FaultSpan, Run};
use crate::say::{Progress, say};
use crate::site::{RunningService, Site};
use crate::stop::{Stop, is_told, told};
use crate::workload::{Fault, Workload, record};

/// For how long, at most, the names are written before the workload begins.
const FILL_MAX: Duration = Duration::from_secs(600);

/// How long the workload runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// How often everything is looked at while it runs.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a database that has to take in everything may need for that; and how long where
/// the comparison is to end.
const SETTLE_MAX_S: u32 = 120;
const SETTLE_MAX_AT_STOP_S: u32 = 10;

/// After so long it is said what is being waited for.
const SILENT_MAX: Duration = Duration::from_secs(2);

/// What became of measuring a service.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// `None` if it was to end before anything was measured.
    pub(crate) run: Option<Run>,
    /// What went wrong, and leaves the report without something, or in doubt.
    pub(crate) problems: Vec<String>,
}

/// Starts the pattern's service, has it do the workload, and stops it. `names`: of the run, for who
/// waits, and what the names of its records begin with.
///
/// # Errors
/// When the service cannot be started or reached. What goes wrong later is among the problems.
pub(crate) async fn measure(
    site: &Site,
    pattern: Pattern,
    workload: &Workload,
    names: (&str, &str),
    stop: Stop,
) -> Result<Measured> {
    let service = site.start(pattern, workload.fault.is_some()).await?;
    let mut problems = Vec::new();
    let measured = measure_running(&service, workload, names, stop, &mut problems).await;
    if let Err(error) = service.stop().await {
        problems.push(error.to_string());
    }
    match measured {
        Ok(run) => Ok(Measured { run, problems }),
        // Why it stopped says more than that it is not there.
        Err(error) => Err(Error::Failed(
            [error.to_string()]
                .into_iter()
                .chain(problems)
                .collect::<Vec<String>>()
                .join("; "),
        )),
    }
}

async fn measure_running(
    service: &RunningService,
    workload: &Workload,
    (name, prefix): (&str, &str),
    stop: Stop,
    problems: &mut Vec<String>,
) -> Result<Option<Run>> {
    let ledger = Arc::new(Ledger::new());
    prepare(service, workload, prefix, &ledger, &stop, problems).await?;
    if is_told(&stop) {
        return Ok(None);
    }
    let before = ledger.acknowledged();

    let observer = Observer::start(Watched::of(service), LOOK_EVERY).await;
    let mut begun = None;
    let target = Target::find(service.pattern(), service.url(), prefix).await?;
    let progress = Progress::start(name, workload.duration);
    let driven = drive(&target, workload, &ledger, stop.clone(), |began| {
        let injecting = inject(service.database_lever(), workload.fault, began.into());
        begun = Some((began, injecting));
    })
    .await;
    drop(progress);
    let (began, injecting) = match begun {
        Some((began, injecting)) => (began, injecting),
        None => (std::time::Instant::now(), None),
    };
    let fault = finish(injecting, began.into()).await;
    let settled_after_s = match &driven {
        Ok(_) => settled(service, &stop).await,
        Err(_) => None,
    };
    let observations = observer.stop().await.unwrap_or_default();
    let driven = driven?;
    let fault = fault.unwrap_or_else(|error| {
        problems.push(error.to_string());
        None
    });

    let acknowledged = ledger.acknowledged() - before;
    let checked = check(service, prefix, &ledger, settled_after_s.is_some()).await;
    let check = match checked {
        Ok(check) => Some(check),
        Err(error) => {
            problems.push(format!(
                "what is there in the end could not be checked: {error}"
            ));
            None
        }
    };
    let mut timeline = driven.timeline.clone();
    observations.fill_in(&mut timeline, began);
    Ok(Some(Run {
        timeline,
        settled_after_s,
        check,
        fault,
        ..figures(service, &driven, &observations, acknowledged)
    }))
}

/// Writes each name once, lets the service warm up, and waits until the database has
/// everything.
async fn prepare(
    service: &RunningService,
    workload: &Workload,
    prefix: &str,
    ledger: &Arc<Ledger>,
    stop: &Stop,
    problems: &mut Vec<String>,
) -> Result<()> {
    let target = Target::find(service.pattern(), service.url(), prefix).await?;
    let filled = fill(&target, workload, FILL_MAX, ledger, stop.clone()).await?;
    if is_told(stop) {
        return Ok(());
    }
    let missing = u64::from(workload.names).saturating_sub(filled.succeeded());
    if missing > 0 {
        problems.push(format!(
            "{} had no record of {missing} of the {} names when the workload began: they could not be written before",
            service.pattern().name(),
            workload.names
        ));
    }
    let warm_up = Workload {
        duration: WARM_UP,
        bursts: None,
        fault: None,
        ..workload.clone()
    };
    // Of names of its own, so that the workload's own values are all different.
    let target = Target::find(service.pattern(), service.url(), &format!("{prefix}w")).await?;
    let apart = Arc::new(Ledger::new());
    drive(&target, &warm_up, &apart, stop.clone(), |_| {}).await?;
    if !is_told(stop) && settled(service, stop).await.is_none() {
        problems.push(format!(
            "{} still had to bring records into the database when the workload began",
            service.pattern().name()
        ));
    }
    Ok(())
}

/// Waits until the database has everything, not so long where the comparison is to end; says so
/// where that takes long.
async fn settled(service: &RunningService, stop: &Stop) -> Option<f64> {
    let began = Instant::now();
    let mut stop = stop.clone();
    let patient = async {
        let settling = settle(service, SETTLE_MAX_S);
        tokio::pin!(settling);
        tokio::select! {
            settled = &mut settling => return settled,
            () = sleep(SILENT_MAX) => {}
        }
        say(&format!(
            "{}: waiting until the database has everything, for {SETTLE_MAX_S} s at most",
            service.pattern().name()
        ));
        settling.await
    };
    tokio::select! {
        settled = patient => settled,
        () = told(&mut stop) => settle(service, SETTLE_MAX_AT_STOP_S)
            .await
            .map(|_| began.elapsed().as_secs_f64()),
    }
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

/// Asks the database itself where it has everything, and else the service, which knows what it
/// has acknowledged.
async fn check(
    service: &RunningService,
    prefix: &str,
    ledger: &Ledger,
    has_everything: bool,
) -> Result<Check> {
    let names = ledger.names();
    let names: Vec<String> = names
        .iter()
        .map(|name| record::name(prefix, *name))
        .collect();
    let state = match has_everything {
        true => final_state::read(service, prefix, &names).await?,
        false => final_state::answers(service, &names).await?,
    };
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
) -> Run {
    let driven = driven.clone();
    Run {
        pattern: service.pattern(),
        url: service.url().to_string(),
        seconds: driven.seconds,
        due: driven.due,
        unsent: driven.unsent,
        acknowledged,
        failed_latency: driven.failed_latency,
        operations: driven.operations,
        latency: driven.latency,
        percentiles: driven.percentiles,
        errors: driven.errors,
        timeline: Vec::new(),
        commit_lag: observations.commit_lag(),
        settled_after_s: None,
        database: observations.database(),
        cache: driven.cache,
        journal: observations.journal(),
        processes: observations.processes().to_vec(),
        others_cpu_share: observations.others_share(),
        check: None,
        fault: None,
    }
}
