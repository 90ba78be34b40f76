//! Values that may be in a file of their own, as secrets are given to containers:
//! `X_FILE` names the file whose content is the value of `X`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::settings::{BadSetting, bad};

/// The largest content. A URL is far smaller; what is larger is another file.
const BYTES_MAX: u64 = 64 << 10;

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

/// The content of the file at `path`, which `key` names, without one line end after it.
///
/// # Errors
/// When there is none that could be a value. Never repeats it, nor the path,
/// which may be the secret itself by mistake.
pub(super) fn read(key: &str, path: &Path) -> Result<String, BadSetting> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut content));
    read.map_err(|error| bad(key, format!("the file cannot be read: {error}")))?;
    if content.len() as u64 > BYTES_MAX {
        let reason = format!("the file has more than {} KiB", BYTES_MAX >> 10);
        return Err(bad(key, reason));
    }
    let mut content = String::from_utf8(content).map_err(|_| bad(key, "the file is not UTF-8"))?;
    if content.ends_with('\n') {
        content.pop();
        if content.ends_with('\r') {
            content.pop();
        }
    }
    match content.is_empty() {
        true => Err(bad(key, "the file is empty")),
        false => Ok(content),
    }
}
