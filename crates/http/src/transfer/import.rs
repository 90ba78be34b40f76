//! Writes the users of a file, part by part.
//!
//! A part is complete when each of its rows is written or refused. So a file is written up to a line,
//! and writing it again from any earlier line leads to the same end.

use std::io;
use std::time::Duration;

use cache_core::process::shutdown::Signals;
use cache_core::settings::ImportOptions;
use tokio::time::{Instant, sleep};

use super::answer::{Answer, Fate};
use super::format::{format_of, open};
use super::part::{PART_ROWS_MAX, read_ahead};
use super::progress::Progress;
use super::refused::Refused;
use super::row::Row;
use super::rows::rows;
use super::target::{Failed, Target};
use crate::bulk::Change;

/// How long rows are repeated while none of them is taken.
const GIVE_UP_AFTER: Duration = Duration::from_secs(120);
const RETRY_S_MAX: u64 = 30;

/// How an import ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImportOutcome {
    /// Each row is written.
    Complete,
    /// Some rows are refused, all others written.
    SomeRefused,
    /// It ended before the end of the file.
    Stopped,
}

#[derive(Default)]
struct Counts {
    written: u64,
    deleted: u64,
    absent: u64,
    journaled: u64,
    refused: u64,
    /// All rows up to this line are written or refused.
    line: u64,
}

impl Counts {
    fn sentence(&self) -> String {
        let Counts {
            written,
            deleted,
            absent,
            journaled,
            refused,
            ..
        } = self;
        let mut text =
            format!("{written} users written, {deleted} deleted, {refused} lines refused");
        if *absent > 0 {
            text += &format!(", {absent} to delete were not there");
        }
        if *journaled > 0 {
            text += &format!(", {journaled} in the journal whose end is not known yet");
        }
        text
    }
}

struct Import<'a> {
    target: &'a Target,
    signals: &'a mut Signals,
    waits: bool,
    counts: Counts,
    refused: Refused,
    progress: Progress,
}

/// Why an import ends before the file does.
struct Stop(String);

/// Writes the users of the file. Returns how that ended, and what to say of it.
///
/// # Errors
/// When the file cannot be read, before anything is written.
pub(crate) async fn import(
    options: &ImportOptions,
    target: &Target,
    waiting_max: usize,
    signals: &mut Signals,
) -> Result<(ImportOutcome, String), Box<dyn std::error::Error>> {
    let named = |error: io::Error| format!("{}: {error}", options.file.display());
    let format = format_of(&options.file, options.format)?;
    let file = open(&options.file).map_err(named)?;
    let (length, read) = (file.length, file.read);
    let rows = rows(format, file.text).map_err(named)?;
    let refused =
        Refused::new(options.errors.as_deref()).map_err(|error| format!("--errors: {error}"))?;
    let rows_max = PART_ROWS_MAX.min(waiting_max / 2);
    let mut parts = read_ahead(rows, rows_max, options.skip);
    let mut import = Import {
        target,
        signals,
        waits: !options.no_wait,
        counts: Counts {
            line: options.skip,
            ..Counts::default()
        },
        refused,
        progress: Progress::new(length),
    };
    let stop = loop {
        let part = tokio::select! {
            biased;
            name = import.signals.next() => break Some(Stop(name.to_owned())),
            part = parts.recv() => part,
        };
        let part = match part {
            None => break None,
            Some(Err(error)) => break Some(Stop(named(error))),
            Some(Ok(part)) => part,
        };
        if let Err(stop) = import.write(part.rows).await {
            break Some(stop);
        }
        let bytes = read.load(std::sync::atomic::Ordering::Relaxed);
        import.progress.show(bytes, || import.counts.sentence());
    };
    import
        .refused
        .finish()
        .map_err(|error| format!("--errors: {error}"))?;
    let (mut text, line) = (import.counts.sentence(), import.counts.line);
    let outcome = match stop {
        None if import.refused.count() > 0 => ImportOutcome::SomeRefused,
        None => ImportOutcome::Complete,
        Some(Stop(reason)) => {
            text += &format!(
                "\nstopped before the end of the file: {reason}\nall lines up to {line} are written or refused, and \
                 later ones may be: go on with --skip {line}, or begin again, which is safe as well"
            );
            ImportOutcome::Stopped
        }
    };
    Ok((outcome, text))
}

impl Import<'_> {
    /// Writes a part, and repeats what passes.
    async fn write(&mut self, rows: Vec<Row>) -> Result<(), Stop> {
        let last = rows.last().map_or(self.counts.line, |row| row.line);
        let mut left: Vec<(u64, Change)> = Vec::new();
        for Row { line, change } in rows {
            match change {
                Ok(change) => left.push((line, change)),
                Err(problem) => {
                    let text = problem.line(line, |_, _| 1);
                    let answer = Answer::read(&text).unwrap_or_default();
                    self.refuse(&answer, &text)?;
                }
            }
        }
        let mut give_up_at = Instant::now() + GIVE_UP_AFTER;
        while !left.is_empty() {
            let before = left.len();
            let (reason, retry_s) = match self.target.write(&left, self.waits).await {
                Ok(answers) => self.take(&mut left, answers)?,
                Err(Failed::Passing(reason, retry_s)) => (reason, retry_s),
                Err(Failed::ForGood(reason)) => return Err(Stop(reason)),
            };
            if left.is_empty() {
                break;
            }
            if left.len() < before {
                give_up_at = Instant::now() + GIVE_UP_AFTER;
            }
            if Instant::now() >= give_up_at {
                let after = GIVE_UP_AFTER.as_secs();
                return Err(Stop(format!("nothing was taken for {after} s: {reason}")));
            }
            tokio::select! {
                name = self.signals.next() => return Err(Stop(format!("{name} while it waited: {reason}"))),
                () = sleep(Duration::from_secs(retry_s.clamp(1, RETRY_S_MAX))) => {}
            }
        }
        self.counts.line = last;
        Ok(())
    }

    /// Counts the answers. What is to be repeated stays in `left`; returns why, and after how many
    /// seconds.
    fn take(
        &mut self,
        left: &mut Vec<(u64, Change)>,
        answers: Vec<(Answer, Vec<u8>)>,
    ) -> Result<(String, u64), Stop> {
        let (mut reason, mut retry_s) = ("the answer was cut off".to_owned(), 1);
        let mut done = std::collections::HashSet::new();
        for (answer, text) in answers {
            let count = match answer.fate() {
                Fate::Written => &mut self.counts.written,
                Fate::Deleted => &mut self.counts.deleted,
                Fate::Absent => &mut self.counts.absent,
                Fate::Journaled => &mut self.counts.journaled,
                Fate::Refused => {
                    done.insert(answer.line);
                    self.refuse(&answer, &text)?;
                    continue;
                }
                Fate::Passing => {
                    retry_s = retry_s.max(answer.retry_after_s.unwrap_or(1));
                    reason = answer.reasons();
                    continue;
                }
            };
            if done.insert(answer.line) {
                *count += 1;
            }
        }
        left.retain(|(line, _)| !done.contains(line));
        Ok((reason, retry_s))
    }

    fn refuse(&mut self, answer: &Answer, text: &[u8]) -> Result<(), Stop> {
        self.counts.refused += 1;
        let added = self.refused.add(answer, text, &self.progress);
        added.map_err(|error| Stop(format!("--errors: {error}")))
    }
}
