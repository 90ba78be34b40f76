//! `compare`: which of the two patterns suits a workload, by measuring both.

fn main() {}
