//! Values that may be in a file of their own, as secrets are given to containers:
//! `X_FILE` names the file whose content is the value of `X`.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use crate::settings::{BadSetting, bad};

/// The largest content of a value, and the largest file. A URL is far smaller, and all
/// public CAs together are; what is larger is another file.
const VALUE_BYTES_MAX: u64 = 64 << 10;
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The name of the setting that names the file.
pub(super) fn file_key(key: &str) -> String {
    format!("{key}_FILE")
}

/// Refuses a value that is given both ways in one place, such as `the environment`.
///
/// # Errors
/// The two names.
pub(super) fn given_once(
    key: &str,
    (is_given, is_in_a_file): (bool, bool),
    place: &str,
) -> Result<(), BadSetting> {
    if is_given && is_in_a_file {
        let (reason, key) = (format!("{place} has {key} as well"), file_key(key));
        return Err(bad(&key, reason));
    }
    Ok(())
}

/// The value in the file at `path`, which `key` names: its content without one line end
/// after it.
///
/// # Errors
/// When there is none that could be a value. Never repeats it, nor the path.
pub(super) fn read(key: &str, path: &Path) -> Result<String, BadSetting> {
    let content = limited(key, path, VALUE_BYTES_MAX)?;
    let mut content = String::from_utf8(content).map_err(|_| bad(key, "the file is not UTF-8"))?;
    if content.ends_with('\n') {
        content.pop();
        if content.ends_with('\r') {
            content.pop();
        }
    }
    // A URL parser would drop some of these silently.
    match content.chars().find(|character| character.is_control()) {
        _ if content.is_empty() => Err(bad(key, "the file is empty")),
        Some('\n' | '\r') => Err(bad(key, "the file has more than one line")),
        Some(_) => Err(bad(key, "the file has a control character")),
        None => Ok(content),
    }
}

/// The content of the file at `path`, which `key` names.
///
/// # Errors
/// When it cannot be read or is too large. Never repeats the path, which may be the secret
/// itself by mistake.
pub(crate) fn content(key: &str, path: &Path) -> Result<Vec<u8>, BadSetting> {
    limited(key, path, FILE_BYTES_MAX)
}

fn limited(key: &str, path: &Path, bytes_max: u64) -> Result<Vec<u8>, BadSetting> {
    let unreadable =
        |reason: &dyn fmt::Display| bad(key, format!("the file cannot be read: {reason}"));
    // Before it is opened: opening a pipe without a writer blocks for ever.
    let metadata = fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(unreadable(&"it is not a regular file"));
    }
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max + 1).read_to_end(&mut content))
        .map_err(|error| unreadable(&error))?;
    if content.len() as u64 > bytes_max {
        let reason = format!("the file has more than {} KiB", bytes_max >> 10);
        return Err(bad(key, reason));
    }
    Ok(content)
}
