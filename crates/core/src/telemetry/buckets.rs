//! Up to where each bucket of a histogram goes. Bounds of seconds are at most 5/3 of the
//! one before, so a percentile that is taken from the middle of its bucket is at most a
//! third above the true one.

/// Of everything that takes as long as a request, in seconds.
pub(super) const DURATIONS_S: &[f64] = &[
    0.0001, 0.00015, 0.0002, 0.0003, 0.0005, 0.0007, //
    0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, //
    0.01, 0.015, 0.02, 0.03, 0.05, 0.07, //
    0.1, 0.15, 0.2, 0.3, 0.5, 0.7, //
    1.0, 1.5, 2.0, 3.0, 5.0, 7.0, //
    10.0,
];

/// How long an acknowledged write waits for the database, in seconds: for minutes after
/// an outage.
pub(super) const COMMIT_LAGS_S: &[f64] = &[
    0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, //
    0.01, 0.015, 0.02, 0.03, 0.05, 0.07, //
    0.1, 0.15, 0.2, 0.3, 0.5, 0.7, //
    1.0, 1.5, 2.0, 3.0, 5.0, 7.0, //
    10.0, 15.0, 20.0, 30.0, 50.0, 70.0, //
    100.0, 150.0, 200.0, 300.0, 500.0, 700.0, //
    1000.0,
];

/// Of how many go together.
pub(super) const SIZES: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0,
];
