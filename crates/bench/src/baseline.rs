//! Handlers on the same server that only parse, or only answer: what a service is compared with, measured
//! immediately before and after it.

use testkit::service::ServiceProcess;

use crate::Result;
use crate::load::{Order, Script, THREADS};
use crate::load_result::Load;
use crate::plan::Plan;
use crate::processor::Processes;
use crate::services::start_baseline;

const CONNECTIONS: u32 = 64;

/// The process that has the handlers.
#[derive(Debug)]
pub(crate) struct Baseline(ServiceProcess);

/// What a handler can do: the mean of before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Beside {
    pub(crate) per_second: f64,
    /// Of the handler and the load, for a request.
    pub(crate) cpu_us: f64,
}

impl Baseline {
    /// Starts it, and warms it up.
    pub(crate) fn start(plan: &Plan) -> Result<Baseline> {
        let baseline = Baseline(start_baseline()?);
        for (script, target) in [
            (Script::Unique, "POST /parse"),
            (Script::Reads, "GET /users/user-"),
        ] {
            baseline.order(plan, script, target).warm_up(plan)?;
        }
        Ok(baseline)
    }

    /// Measures the handler of `target`, then `inner`, then the handler once more.
    pub(crate) fn around<T>(
        &self,
        plan: &Plan,
        script: Script,
        target: &str,
        inner: impl FnOnce() -> Result<T>,
    ) -> Result<(T, Beside)> {
        let order = self.order(plan, script, target);
        let before = self.once(plan, &order)?;
        let inner = inner()?;
        let after = self.once(plan, &order)?;
        Ok((inner, Beside::mean(before, after)))
    }

    fn order<'a>(&'a self, plan: &Plan, script: Script, target: &'a str) -> Order<'a> {
        Order {
            script,
            base_url: self.0.base_url(),
            target,
            connections: CONNECTIONS,
            threads: THREADS,
            duration: plan.short_load(),
        }
    }

    fn once(&self, plan: &Plan, order: &Order<'_>) -> Result<Beside> {
        let processes = Processes::alone(self.0.id());
        let before = processes.used()?;
        let load = order.run(plan)?;
        Ok(Beside {
            per_second: load.per_second(),
            cpu_us: (processes.used()? - before).all_us(&load),
        })
    }
}

impl Beside {
    fn mean(before: Beside, after: Beside) -> Beside {
        Beside {
            per_second: f64::midpoint(before.per_second, after.per_second),
            cpu_us: f64::midpoint(before.cpu_us, after.cpu_us),
        }
    }

    /// The share of the handler's rate.
    pub(crate) fn share(self, load: &Load) -> f64 {
        load.per_second() / self.per_second
    }

    /// The share that processors would reach which do nothing else: the handler's processor time beside this.
    pub(crate) fn share_by_cpu(self, cpu_us: f64) -> f64 {
        self.cpu_us / cpu_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_the_mean_of_before_and_after() {
        let of = |per_second, cpu_us| Beside { per_second, cpu_us };
        let beside = Beside::mean(of(90_000.0, 20.0), of(110_000.0, 16.0));
        let load = Load {
            succeeded: 90_000,
            failed: 0,
            broken: 0,
            seconds: 2.0,
            p50_ms: 1.0,
            p99_ms: 1.0,
            p999_ms: 1.0,
            cpu_s: 1.0,
        };
        assert_eq!(beside.share(&load), 0.45);
        assert_eq!(beside.share_by_cpu(36.0), 0.5);
    }
}
