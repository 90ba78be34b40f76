//! Writes over few and many connections: more of them must not make it slower.

use testkit::parts::Parts;
use testkit::service::Service;

use crate::Result;
use crate::figures::{FAILED, Figures, LOST, Measure};
use crate::load::{Order, Script, THREADS, WARM_UP};
use crate::plan::{Plan, progress};
use crate::services::RunningService;
use crate::verify;
use crate::writes::{ACKED, add_latencies};

const SECTION: &str = "connections";

const LEVELS: [u32; 6] = [1, 2, 16, 64, 256, 1024];

/// Beside the best of the levels with fewer connections. A plateau is not a fall, and what two loads on it differ
/// by is noise.
const OF_FEWER: Measure = Measure::more("of the best with fewer", 2).at_least(0.95);

/// Measures each service at all levels, then again.
pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<()> {
    for repetition in 1..=plan.repetitions {
        for service in [Service::WriteBehind, Service::WriteThrough] {
            progress(&format!(
                "{repetition}/{} connections to {}",
                plan.repetitions,
                service.name()
            ));
            once(plan, service, figures)?;
        }
    }
    Ok(())
}

fn once(plan: &Plan, kind: Service, figures: &mut Figures) -> Result<()> {
    let service = RunningService::start(kind, Parts::RedisMariaDb)?;
    let target = service.write_target();
    let order = |connections, duration| Order {
        script: Script::Unique,
        base_url: service.base_url(),
        target: &target,
        connections,
        threads: THREADS,
        duration,
    };
    let processes = service.processes(plan)?;
    let mut written = order(64, WARM_UP).run(plan)?.succeeded;
    let mut best: Option<f64> = None;
    let name = kind.name().trim_end_matches("-svc");
    for connections in LEVELS {
        service.flush()?;
        let before = processes.used()?;
        let load = order(connections, plan.short_load()).run(plan)?;
        service.flush()?;
        let used = processes.used()? - before;
        let row_name = format!("{name}, {connections}");
        let mut row = figures.row(SECTION, &row_name);
        row.add(ACKED, load.per_second());
        if let Some(best) = best {
            row.add(OF_FEWER, load.per_second() / best);
        }
        used.add_to(&mut row, &load);
        add_latencies(&mut row, &load);
        row.add(FAILED, load.unsuccessful() as f64);
        best = Some(load.per_second().max(best.unwrap_or(0.0)));
        written += load.succeeded;
    }
    let row_name = format!("{name}, all");
    let lost = verify::missing(service, written)?;
    figures.row(SECTION, &row_name).add(LOST, lost as f64);
    Ok(())
}
