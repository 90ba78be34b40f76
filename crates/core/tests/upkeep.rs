//! The memory of the metrics does not grow where they are never scraped. A test binary
//! of its own, since it counts every byte of the process.

#![allow(clippy::unwrap_used, reason = "a test that fails says why")]

use std::alloc::System;

use cache_core::telemetry;
use cache_core::timing;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 20;
const SAMPLES_A_ROUND: usize = 50_000;
/// A number and a time.
const SAMPLE_BYTES: usize = 16;

fn bytes_held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// The clock moves when nothing is left to do, so each interval's upkeep is over
/// before the next one's samples.
#[tokio::test(start_paused = true)]
async fn samples_are_counted_and_not_kept_without_a_scrape() {
    let metrics = telemetry::start_metrics("test").unwrap();
    let before = bytes_held();
    for _ in 0..ROUNDS {
        for _ in 0..SAMPLES_A_ROUND {
            telemetry::batch_committed("test", 3);
        }
        tokio::time::sleep(2 * timing::METRICS_UPKEEP_INTERVAL).await;
    }
    let grown = bytes_held().saturating_sub(before);
    let all = ROUNDS * SAMPLES_A_ROUND * SAMPLE_BYTES;
    assert!(grown < all / 4, "{grown} bytes of {all} are held");

    let text = metrics.render();
    let count = format!(
        "write_cache_group_commit_batch_size_count{{service=\"test\",queue=\"test\"}} {}",
        ROUNDS * SAMPLES_A_ROUND
    );
    assert!(text.lines().any(|line| line == count), "{text}");
}
