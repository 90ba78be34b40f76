//! The files of TLS, as they are when the service starts.

use std::path::{Path, PathBuf};

use crate::settings::{BadSetting, CacheUrl, DatabaseUrl, bad, secret_file};
use crate::tls::server::{CERTIFICATE_KEY, PRIVATE_KEY_KEY};
use crate::tls::{CACHE_KEYS, DATABASE_KEYS, Tls, TlsKeys};

/// The paths that the settings of one server give, empty where they give none.
pub(super) struct Paths<'a> {
    pub(super) ca: &'a str,
    pub(super) certificate: &'a str,
    pub(super) key: &'a str,
}

/// What the cache's files hold.
///
/// # Errors
/// The setting whose file cannot be used, or that the cache has no use for.
pub(super) fn of_cache(
    paths: &Paths<'_>,
    cache: &CacheUrl,
    sentinels_by_tls: bool,
) -> Result<Tls, BadSetting> {
    let is_tls = match cache {
        CacheUrl::Redis(url) => url.expose().starts_with("rediss") || sentinels_by_tls,
        CacheUrl::Memory => false,
    };
    read(
        CACHE_KEYS,
        paths,
        is_tls.then_some(()).ok_or("only with CACHE_URL=rediss://…"),
    )
}

/// What the database's files hold.
///
/// # Errors
/// The setting whose file cannot be used, or that the database has no use for.
pub(super) fn of_database(paths: &Paths<'_>, database: &DatabaseUrl) -> Result<Tls, BadSetting> {
    let is_server = matches!(database, DatabaseUrl::Mysql(_));
    let wanted = is_server
        .then_some(())
        .ok_or("only with DATABASE_URL=mysql://…");
    read(DATABASE_KEYS, paths, wanted)
}

/// The paths of the certificate and the key that the service itself shows.
///
/// # Errors
/// The one that is given without the other.
pub(super) fn of_service(
    certificate: &str,
    key: &str,
) -> Result<Option<(PathBuf, PathBuf)>, BadSetting> {
    match (certificate, key) {
        ("", "") => Ok(None),
        (_, "") => Err(bad(CERTIFICATE_KEY, "only together with TLS_KEY_FILE")),
        ("", _) => Err(bad(PRIVATE_KEY_KEY, "only together with TLS_CERT_FILE")),
        (certificate, key) => Ok(Some((certificate.into(), key.into()))),
    }
}

fn read(
    keys: TlsKeys,
    paths: &Paths<'_>,
    may_be_given: Result<(), &'static str>,
) -> Result<Tls, BadSetting> {
    let all = [
        (keys.ca, paths.ca),
        (keys.certificate, paths.certificate),
        (keys.key, paths.key),
    ];
    let given = all.iter().find(|(_, path)| !path.is_empty());
    if let (Some((key, _)), Err(reason)) = (given, may_be_given) {
        return Err(bad(key, reason));
    }
    let together = |given: &'static str, missing: &'static str| {
        Err(bad(given, format!("only together with {missing}")))
    };
    let content = |key, path| secret_file::content(key, Path::new(path));
    let ca = match paths.ca {
        "" => None,
        path => Some(content(keys.ca, path)?),
    };
    let identity = match (paths.certificate, paths.key) {
        ("", "") => None,
        (_, "") => return together(keys.certificate, keys.key),
        ("", _) => return together(keys.key, keys.certificate),
        (certificate, key) => Some((
            content(keys.certificate, certificate)?,
            content(keys.key, key)?,
        )),
    };
    let given = all.into_iter().filter(|(_, path)| !path.is_empty());
    let files = given
        .map(|(key, path)| (key, PathBuf::from(path)))
        .collect();
    let tls = Tls::new(keys, ca, identity).map_err(|(key, reason)| bad(key, reason))?;
    Ok(tls.of_files(files))
}
