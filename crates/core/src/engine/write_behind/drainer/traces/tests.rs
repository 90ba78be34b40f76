use super::*;
use crate::engine::write_behind::drainer::samples::{record, version};
use crate::model::trace_context::TraceContext;

fn write(name: &str) -> Write {
    Write::put(Key::from(name), bytes::Bytes::new()).traced(Some(TraceContext::sample()))
}

fn traced(writes: &[Write]) -> Traced {
    Traced::of(writes.iter().map(|write| &write.trace))
}

/// The batch is in the journal, at one version more for each write.
fn appended(appending: Appending, writes: &[Write], first: u64) {
    let answers: Vec<_> = (first..)
        .take(writes.len())
        .map(|number| Ok(Decision::Written(version(number))))
        .collect();
    let contexts = writes.iter().map(|write| write.trace.clone().unwrap());
    appending.appended(writes, &answers, contexts.enumerate().collect());
}

fn applied(rows: &[(&str, u64)], refused: &[(&str, u64)]) -> AppliedBatch {
    let of = |entries: &[(&str, u64)]| -> Vec<_> {
        let entries = entries.iter();
        entries.map(|(key, number)| record(key, *number)).collect()
    };
    AppliedBatch {
        rows: of(rows),
        refused: of(refused)
            .into_iter()
            .map(|record| (record, "no".into()))
            .collect(),
        ..AppliedBatch::default()
    }
}

/// The versions that wait, by age.
fn waiting(traces: &Traces) -> Vec<u64> {
    let state = traces.lock();
    let known: usize = state.of_key.values().map(Vec::len).sum();
    assert_eq!(known, state.waiting.len());
    let waiting = state.waiting.values();
    waiting.map(|waiting| waiting.version.get()).collect()
}

#[test]
fn a_trace_waits_until_its_write_or_a_newer_one_is_drained() {
    let traces = Arc::new(Traces::default());
    let writes = ["a", "b", "a", "a"].map(write);
    let appending = traces.appending(&traced(&writes)).unwrap();
    appended(appending, &writes, 1);
    assert_eq!(waiting(&traces), [1, 2, 3, 4]);
    traces.drained(SystemTime::now(), &applied(&[("a", 3), ("c", 9)], &[]));
    assert_eq!(waiting(&traces), [2, 4]);
    traces.drained(SystemTime::now(), &applied(&[], &[("b", 2), ("a", 9)]));
    assert_eq!(waiting(&traces), [4]);
    traces.drained(SystemTime::now(), &applied(&[("a", 4)], &[]));
    assert!(waiting(&traces).is_empty());
    assert_eq!(traces.busy.load(Ordering::SeqCst), 0);
}

#[test]
fn a_write_that_is_drained_before_its_append_is_answered_waits_for_nothing() {
    let traces = Arc::new(Traces::default());
    let writes = ["a", "b"].map(write);
    let appending = traces.appending(&traced(&writes)).unwrap();
    traces.drained(SystemTime::now(), &applied(&[("a", 1)], &[]));
    appended(appending, &writes, 1);
    assert_eq!(waiting(&traces), [2]);
    assert!(traces.lock().drained.is_empty());
}

#[test]
fn an_append_that_is_cut_off_leaves_nothing() {
    let traces = Arc::new(Traces::default());
    let writes = ["a"].map(write);
    let appending = traces.appending(&traced(&writes));
    traces.drained(SystemTime::now(), &applied(&[("a", 1)], &[]));
    drop(appending);
    assert!(traces.lock().drained.is_empty());
    assert_eq!(traces.busy.load(Ordering::SeqCst), 0);
}

#[test]
fn the_oldest_trace_gives_way() {
    let traces = Arc::new(Traces::default());
    let writes: Vec<Write> = (0..=WAITING_MAX).map(|_| write("a")).collect();
    let appending = traces.appending(&traced(&writes)).unwrap();
    appended(appending, &writes, 1);
    let waiting = waiting(&traces);
    assert_eq!((waiting.len(), waiting[0]), (WAITING_MAX, 2));
}

#[test]
fn a_batch_without_traces_is_not_noted() {
    let traces = Arc::new(Traces::default());
    let writes = ["a"].map(|name| write(name).traced(None));
    assert!(traces.appending(&traced(&writes)).is_none());
    traces.drained(SystemTime::now(), &applied(&[("a", 1)], &[]));
    assert!(traces.lock().drained.is_empty());
}
