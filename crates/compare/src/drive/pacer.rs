//! Says when requests are due.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::load::Load;
use crate::workload::Schedule;

/// Requests that are due within so short a time are called together: at a high rate, waking
/// for each would cost more than it is worth.
const STEP_MIN: Duration = Duration::from_micros(100);
/// How long the end of a load may go unnoticed.
const STEP_MAX: Duration = Duration::from_millis(10);

/// Calls every request of the load when it is due, until the load is over. In a thread of
/// its own, since the runtime's timers are a millisecond apart, which is several times as long as
/// a service takes to answer.
pub(super) fn start(load: Arc<Load>, schedule: Schedule) -> std::io::Result<()> {
    thread::Builder::new()
        .name("pacer".to_owned())
        .spawn(move || pace(&load, &schedule))
        .map(drop)
}

fn pace(load: &Load, schedule: &Schedule) {
    let mut called = 0;
    while !load.is_over() {
        let now = load.began.elapsed();
        let due = schedule.due_before(now.min(load.duration));
        load.call(called..due);
        called = due;
        if now >= load.duration {
            return;
        }
        let next = schedule.due_at(due).min(load.duration);
        thread::sleep(next.saturating_sub(now).clamp(STEP_MIN, STEP_MAX));
    }
}
