//! The figures as tables, each the median of its repetitions.

use std::fmt::Write as _;

use crate::figures::{Allocations, Backlog, Figures, Load, Reads, SingleOnce, Writes, median};
use crate::plan::Plan;

/// Everything that was measured.
pub(crate) fn text(plan: &Plan, figures: &Figures) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "medians of {} repetitions, loads of {} s, {cores} cores, everything on this machine\n",
        plan.repetitions,
        plan.load.as_secs(),
    );
    if !figures.writes.is_empty() {
        text += &writes(&figures.writes);
    }
    if !figures.singles.is_empty() {
        text += &singles(&figures.singles);
    }
    if !figures.reads.is_empty() {
        text += &reads(&figures.reads);
    }
    if !figures.backlogs.is_empty() {
        text += &backlogs(&figures.backlogs);
    }
    if !figures.allocations.is_empty() {
        text += &allocations(&figures.allocations);
    }
    if !figures.redis_set_per_second.is_empty() {
        let rate = median(figures.redis_set_per_second.iter().copied());
        text += &format!("\nredis-benchmark: {rate:.0} SET/s, pipelines of 64, 64 clients\n");
    }
    text
}

fn writes(rows: &[Writes]) -> String {
    let of_parser = rows
        .iter()
        .flat_map(|row| &row.repetitions)
        .map(|repetition| repetition.parse_only.per_second());
    let header = [
        "service",
        "on",
        "names",
        "conn",
        "acked/s",
        "/E",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "not 2xx",
        "no answer",
        "in DB after s",
        "RSS MiB",
        "peak MiB",
        "lost",
    ];
    let cells = rows.iter().map(|row| {
        let all = &row.repetitions;
        let middle = |figure: fn(&Load) -> f64| median(all.iter().map(|once| figure(&once.load)));
        let sum = |figure: fn(&Load) -> u64| all.iter().map(|once| figure(&once.load)).sum::<u64>();
        let delays: Vec<f64> = all
            .iter()
            .filter_map(|once| once.in_database_after_s)
            .collect();
        vec![
            row.service.to_owned(),
            row.parts.to_owned(),
            row.names.to_owned(),
            row.connections.to_string(),
            format!("{:.0}", middle(Load::per_second)),
            format!("{:.2}", median(all.iter().map(|once| once.ratio()))),
            format!("{:.2}", middle(|load| load.p50_ms)),
            format!("{:.2}", middle(|load| load.p99_ms)),
            format!("{:.2}", middle(|load| load.p999_ms)),
            sum(|load| load.failed).to_string(),
            sum(|load| load.broken).to_string(),
            if delays.is_empty() {
                "-".to_owned()
            } else {
                format!("{:.2}", median(delays))
            },
            mebibytes(all.iter().map(|once| once.memory.now_kib)),
            mebibytes(all.iter().map(|once| once.memory.most_kib)),
            all.iter().map(|once| once.lost).sum::<u64>().to_string(),
        ]
    });
    format!(
        "\nWrites. E, a handler that only parses and validates: {:.0}/s with 64 connections\n{}",
        median(of_parser),
        table(&header, cells)
    )
}

fn singles(all: &[SingleOnce]) -> String {
    let middle = |figure: fn(&SingleOnce) -> f64| median(all.iter().map(figure));
    format!(
        "\nOne write at a time to write-through-svc on Redis, MariaDB: {:.2} ms, p99 {:.2} ms\n  \
         {:.2} of an INSERT by the mariadb client, {:.2} ms, and two round trips to Redis, {:.2} ms\n",
        middle(|once| 1e3 / once.load.per_second()),
        middle(|once| once.load.p99_ms),
        middle(SingleOnce::ratio),
        middle(|once| once.insert_ms),
        middle(|once| once.round_trips_ms),
    )
}

fn reads(rows: &[Reads]) -> String {
    let of_answer = rows
        .iter()
        .flat_map(|row| &row.repetitions)
        .map(|repetition| repetition.answer_only.per_second());
    let header = [
        "service", "on", "hits/s", "/R", "p50 ms", "p99 ms", "p99.9 ms", "not 2xx",
    ];
    let cells = rows.iter().map(|row| {
        let all = &row.repetitions;
        let middle = |figure: fn(&Load) -> f64| median(all.iter().map(|once| figure(&once.load)));
        vec![
            row.service.to_owned(),
            row.parts.to_owned(),
            format!("{:.0}", middle(Load::per_second)),
            format!("{:.2}", median(all.iter().map(|once| once.ratio()))),
            format!("{:.2}", middle(|load| load.p50_ms)),
            format!("{:.2}", middle(|load| load.p99_ms)),
            format!("{:.2}", middle(|load| load.p999_ms)),
            all.iter()
                .map(|once| once.load.failed)
                .sum::<u64>()
                .to_string(),
        ]
    });
    format!(
        "\nGET /users/{{name}} in the cache, 10000 names, 64 connections. R, a handler that only answers: {:.0}/s\n{}",
        median(of_answer),
        table(&header, cells)
    )
}

fn backlogs(all: &[Backlog]) -> String {
    let middle = |figure: fn(&Backlog) -> f64| median(all.iter().map(figure));
    let mut text = format!(
        "\nBacklog of {:.0} entries while the database is away, write-behind-svc on Redis, MariaDB, unique names\n",
        middle(|backlog| backlog.entries as f64)
    );
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "  filled at    {:>9.0} /s, p99 {:.2} ms, not 2xx: {}",
        middle(|backlog| backlog.fill.per_second()),
        middle(|backlog| backlog.fill.p99_ms),
        all.iter().map(|backlog| backlog.fill.failed).sum::<u64>()
    );
    let _ = writeln!(
        text,
        "  resident     {} MiB at 10 %, {} MiB at 100 %, {} MiB when drained",
        mebibytes(all.iter().map(|backlog| backlog.rss_at_tenth_kib)),
        mebibytes(all.iter().map(|backlog| backlog.rss_at_full_kib)),
        mebibytes(all.iter().map(|backlog| backlog.rss_when_drained_kib))
    );
    let _ = writeln!(
        text,
        "  drained at   {:>9.0} rows/s, {:.2} of the {:.0} rows/s of the mariadb client; begun {:.2} s after the database's return",
        middle(|backlog| backlog.drain_rows_per_second),
        middle(Backlog::ratio),
        middle(|backlog| backlog.client_rows_per_second),
        middle(|backlog| backlog.pause_s)
    );
    let lost: u64 = all.iter().map(|backlog| backlog.lost).sum();
    let _ = writeln!(text, "  lost         {lost:>9}");
    text
}

fn allocations(rows: &[Allocations]) -> String {
    let header = [
        "service",
        "on",
        "request",
        "bytes",
        "allocations",
        "reallocations",
        "requests",
    ];
    let cells = rows.iter().map(|row| {
        let each = |count: u64| count as f64 / row.requests as f64;
        vec![
            row.service.to_owned(),
            row.parts.to_owned(),
            row.request.to_owned(),
            format!("{:.0}", each(row.bytes)),
            format!("{:.1}", each(row.allocations)),
            format!("{:.1}", each(row.reallocations)),
            row.requests.to_string(),
        ]
    });
    format!(
        "\nAllocated for each request by the whole process, drain included\n{}",
        table(&header, cells)
    )
}

fn mebibytes(kib: impl IntoIterator<Item = u64>) -> String {
    let kib = median(kib.into_iter().map(|kib| kib as f64));
    format!("{:.1}", kib / 1024.0)
}

/// Columns as wide as their widest cell: text to the left, numbers to the right.
fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let header = header.iter().map(|&name| name.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let is_text: Vec<bool> = (0..widths.len())
        .map(|column| {
            let cells = rows.iter().skip(1).filter_map(|row| row.get(column));
            cells
                .filter(|cell| *cell != "-")
                .any(|cell| cell.parse::<f64>().is_err())
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), is_text) in row.iter().zip(&widths).zip(&is_text) {
            let _ = if *is_text {
                write!(line, "  {cell:<width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_on_the_left_and_numbers_are_on_the_right() {
        let rows = [vec!["a", "1.5"], vec!["long", "-"]];
        let rows = rows.map(|row| row.into_iter().map(str::to_owned).collect());
        assert_eq!(
            table(&["name", "rate"], rows.into_iter()),
            "  name  rate\n  a      1.5\n  long     -\n"
        );
    }
}
