//! The files of TLS to Redis and to the database, which are read again when they change: new connections use what they
//! hold then.

use crate::error::Result;
use crate::process::file_watch::{FileWatch, Unusable};
use crate::settings::Settings;
use crate::tls::{CACHE_KEYS, DATABASE_KEYS, Tls, TlsKeys};

/// Those files. Clones share what they hold.
#[derive(Clone, Debug, Default)]
pub struct ClientFiles(Vec<FileWatch<Tls>>);

impl ClientFiles {
    /// Why files are not used as they are now, in a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        self.0.iter().filter_map(FileWatch::refused).collect()
    }
}

/// The same settings, whose files of TLS are read again.
pub(super) fn followed(settings: &Settings) -> Result<(Settings, ClientFiles)> {
    let mut settings = settings.clone();
    let mut files = ClientFiles::default();
    for (keys, tls) in [
        (CACHE_KEYS, &mut settings.cache_tls),
        (DATABASE_KEYS, &mut settings.database_tls),
    ] {
        if !tls.files().is_empty() {
            let watch = follow(keys, tls.clone())?;
            *tls = tls.clone().followed(watch.follow());
            files.0.push(watch);
        }
    }
    Ok((settings, files))
}

fn follow(keys: TlsKeys, first: Tls) -> Result<FileWatch<Tls>> {
    let files = first.files().to_vec();
    FileWatch::start(files, move |contents| {
        let tls = first.read_again(keys, contents)?;
        usable(keys, &tls)?;
        Ok(tls)
    })
}

/// The driver of MySQL shows no other key than an RSA key.
fn usable(keys: TlsKeys, tls: &Tls) -> std::result::Result<(), Unusable> {
    let is_of_database = keys == DATABASE_KEYS;
    match tls.identity().filter(|_| is_of_database) {
        Some(identity) if identity.rsa_key_der().is_none() => {
            Err((keys.key, "must hold an RSA key".to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use testkit::certificates::Authority;
    use tokio::time::sleep;

    use super::*;

    /// Longer than it takes until a change counts.
    const LOOKS: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn connections_are_opened_with_the_newest_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let [one, two] = ["one", "two"].map(|name| {
            let authority = Authority::new(name);
            fs::read(authority.ca_file()).unwrap()
        });
        fs::write(&path, &one).unwrap();
        let first = Tls::new(CACHE_KEYS, Some(one), None).unwrap();
        let first = first.of_files(vec![(CACHE_KEYS.ca, path.clone())]);
        let watch = follow(CACHE_KEYS, first.clone()).unwrap();
        let tls = first.followed(watch.follow());
        sleep(LOOKS).await;
        assert!(tls.newer().is_none());
        fs::write(&path, &two).unwrap();
        sleep(LOOKS).await;
        let newer = || tls.newer().unwrap().ca_pem().unwrap().to_vec();
        assert_eq!(newer(), two);
        fs::write(&path, "no certificate").unwrap();
        sleep(LOOKS).await;
        assert_eq!(newer(), two);
        let refused = watch.refused().unwrap();
        assert!(
            refused.starts_with("CACHE_CA_FILE: holds no certificate"),
            "{refused}"
        );
    }
}
