//! Which form a file has, and opening it.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::settings::FileFormat;

/// In place of a file, standard input or output.
const STANDARD: &str = "-";
const UTF8_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Whether `path` stands for standard input or output.
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == STANDARD
}

/// The form that is named, or that of the file's extension.
///
/// # Errors
/// When neither says it.
pub(super) fn format_of(path: &Path, named: Option<FileFormat>) -> Result<FileFormat, String> {
    if let Some(named) = named {
        return Ok(named);
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    match extension.to_ascii_lowercase().as_str() {
        "csv" => Ok(FileFormat::Csv),
        "ndjson" | "jsonl" => Ok(FileFormat::Ndjson),
        _ => Err(format!(
            "{}: no .csv, .ndjson or .jsonl: say --format csv or --format ndjson",
            path.display()
        )),
    }
}

/// A file that is read from its start to its end.
pub(super) struct Input {
    /// What is in it, without a byte order mark.
    pub(super) text: Box<dyn Read + Send>,
    /// How many bytes it has, where that is known.
    pub(super) length: Option<u64>,
    /// How many of them were read.
    pub(super) read: Arc<AtomicU64>,
}

/// Opens a file, or standard input.
///
/// # Errors
/// When it cannot be read, or begins with the mark of UTF-16.
pub(super) fn open(path: &Path) -> io::Result<Input> {
    let (file, length): (Box<dyn Read + Send>, _) = match is_standard(path) {
        true => (Box::new(io::stdin()), None),
        false => {
            let file = File::open(path)?;
            let about = file.metadata()?;
            let length = about.is_file().then_some(about.len());
            (Box::new(file), length)
        }
    };
    let read = Arc::new(AtomicU64::new(0));
    let counted = Counted {
        inner: file,
        read: read.clone(),
    };
    Ok(Input {
        text: without_mark(Box::new(counted))?,
        length,
        read,
    })
}

/// Leaves the mark out that some programs put before UTF-8.
fn without_mark(mut file: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut first = Vec::new();
    file.by_ref()
        .take(UTF8_MARK.len() as u64)
        .read_to_end(&mut first)?;
    if first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]) {
        let reason = "the text is UTF-16: save it as UTF-8";
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(match first == UTF8_MARK {
        true => file,
        false => Box::new(Cursor::new(first).chain(file)),
    })
}

struct Counted {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
