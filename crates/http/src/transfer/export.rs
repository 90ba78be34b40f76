//! Writes all users of the database to a file or to standard output, page by page.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache_core::model::record::Record;
use cache_core::model::user::User;
use cache_core::settings::{ExportOptions, FileFormat};
use cache_core::store::Store;
use tempfile::NamedTempFile;

use super::csv::COLUMNS;
use super::format::{format_of, is_standard};
use super::progress::Progress;
use crate::user_json;

/// Users of a page.
const PAGE_USERS: u32 = 1000;
/// What the process's mask leaves of this is what a new file gets.
const PERMISSIONS: u32 = 0o666;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Writes all users. A file is replaced at the end, in one step. Returns what to say of it.
///
/// # Errors
/// When the database or the file fails; then the file is as it was.
pub(crate) async fn export(
    options: ExportOptions,
    store: Arc<dyn Store>,
) -> Result<String, Failure> {
    let path = options.file.filter(|path| !is_standard(path));
    let format = match (&path, options.format) {
        (None, format) => format.unwrap_or(FileFormat::Ndjson),
        (Some(path), format) => format_of(path, format)?,
    };
    let mut output =
        Output::open(path.as_deref()).map_err(|error| named(path.as_deref(), &error))?;
    let count = write_all(&mut output, format, &*store).await?;
    output
        .finish()
        .map_err(|error| named(path.as_deref(), &error))?;
    Ok(format!("{count} users exported"))
}

fn named(path: Option<&Path>, error: &io::Error) -> String {
    match path {
        Some(path) => format!("{}: {error}", path.display()),
        None => format!("standard output: {error}"),
    }
}

async fn write_all(
    output: &mut Output,
    format: FileFormat,
    store: &dyn Store,
) -> Result<u64, Failure> {
    let mut progress = Progress::new(None);
    let (mut count, mut bytes) = (0, 0);
    let mut text = match format {
        FileFormat::Csv => row(&COLUMNS)?,
        FileFormat::Ndjson => Vec::new(),
    };
    let mut after = None;
    loop {
        let page = store.page(after.as_ref(), PAGE_USERS).await?;
        for record in &page.records {
            count += u64::from(add(record, format, &mut text)?);
        }
        bytes += text.len() as u64;
        output.write_all(&text)?;
        text.clear();
        progress.show(bytes, || format!("{count} users"));
        after = page.next;
        if after.is_none() {
            return Ok(count);
        }
    }
}

/// Adds a user. Returns whether the record is one.
fn add(record: &Record, format: FileFormat, text: &mut Vec<u8>) -> Result<bool, Failure> {
    let Some(body) = &record.body else {
        return Ok(false);
    };
    match format {
        FileFormat::Ndjson => {
            user_json::add_user(&record.key, body, text)?;
            text.push(b'\n');
        }
        FileFormat::Csv => {
            let user = User::from_body(record.key.as_str(), body)?;
            let age = user.age.to_string();
            text.append(&mut row(&[&user.name, &age, &user.occupation])?);
        }
    }
    Ok(true)
}

/// A line of CSV, its fields quoted where they have to be.
fn row(fields: &[&str]) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    Ok(writer.into_inner().map_err(|error| error.to_string())?)
}

/// Where an export goes.
enum Output {
    /// Straight to there.
    Direct(Box<dyn Write + Send>),
    /// To a file beside it, which takes its place.
    Beside(BufWriter<NamedTempFile>, PathBuf),
}

impl Output {
    fn open(path: Option<&Path>) -> io::Result<Output> {
        let Some(path) = path else {
            return Ok(Output::Direct(Box::new(io::stdout())));
        };
        // What a link leads to is replaced, not the link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let known = path.metadata().ok();
        if known.as_ref().is_some_and(|known| !known.is_file()) {
            return Ok(Output::Direct(Box::new(
                File::options().write(true).open(path)?,
            )));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mode = known.map_or(PERMISSIONS, |known| known.permissions().mode());
        let beside = tempfile::Builder::new()
            .prefix(".export-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)?;
        Ok(Output::Beside(BufWriter::new(beside), path))
    }

    fn write_all(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Output::Direct(output) => output.write_all(text),
            Output::Beside(output, _) => output.write_all(text),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Output::Direct(mut output) => output.flush(),
            Output::Beside(output, path) => {
                let file = output
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist(path)?;
                Ok(())
            }
        }
    }
}
