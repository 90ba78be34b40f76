//! Tells of rows that are not written: a bounded number on standard error, all in a file.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use cache_core::telemetry::escape;

use super::answer::Answer;
use super::progress::Progress;

/// Most refused rows that are shown.
const SHOWN_MAX: u64 = 20;

/// See the module.
pub(super) struct Refused {
    count: u64,
    file: Option<BufWriter<File>>,
}

impl Refused {
    /// Writes all of them to `file`, if one is named.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new(file: Option<&Path>) -> io::Result<Refused> {
        let file = file.map(File::create).transpose()?;
        Ok(Refused {
            count: 0,
            file: file.map(BufWriter::new),
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Tells of one, whose answer has this text.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn add(
        &mut self,
        answer: &Answer,
        text: &[u8],
        progress: &Progress,
    ) -> io::Result<()> {
        self.count += 1;
        if self.count <= SHOWN_MAX {
            let reasons = answer.reasons();
            progress.say(&format!(
                "line {}: {}",
                answer.line,
                escape::controls(&reasons)
            ));
        }
        if self.count == SHOWN_MAX + 1 {
            progress.say("further refused lines are counted, and written to the file of --errors");
        }
        if let Some(file) = &mut self.file {
            file.write_all(text.trim_ascii_end())?;
            file.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}
