//! Where settings come from: defaults, the file, the environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, ValueKind};

use crate::settings::places::Places;
use crate::settings::table::{Setting, TABLE};
use crate::settings::{BadSetting, Service, bad, secret_file};
use crate::tls::server::CERTIFICATE_KEY;

/// Settings that had another name in an older version, before the one that they have now.
const RENAMED: [(&str, &str); 1] = [("CACHE_AWAY", "CACHE_UNAVAILABLE")];

/// Those of the service's settings that had another name.
fn renamed(service: Service) -> impl Iterator<Item = (&'static str, &'static str)> {
    RENAMED.into_iter().filter(move |(_, new)| {
        let mut known = TABLE.iter().filter(|setting| setting.is_for(service));
        known.any(|setting| setting.key == *new)
    })
}

fn is_called(old: &str, new: &str) -> BadSetting {
    bad(old, format!("is called {new} now, with the same values"))
}

/// What a settings file says, by the names in lower case.
struct SettingsFile {
    path: String,
    places: Places,
    source: config::File<config::FileSourceString, config::FileFormat>,
    values: BTreeMap<String, config::Value>,
}

impl SettingsFile {
    fn read(path: &Path) -> Result<SettingsFile, BadSetting> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| bad(&shown, error))?;
        let places = Places::of(&shown, &text)?;
        let source = config::File::from_str(&text, config::FileFormat::Toml);
        let parsed = Config::builder().add_source(source.clone()).build();
        let parsed = parsed.map_err(|_| bad(&shown, "is not valid TOML"))?;
        let values = parsed.try_deserialize();
        let values = values.map_err(|_| bad(&shown, "is not a table of settings"))?;
        Ok(SettingsFile {
            path: shown,
            places,
            source,
            values,
        })
    }

    /// Refuses a name that is none of the service's, or one of an older version.
    fn check_names(&self, service: Service) -> Result<(), BadSetting> {
        let is_known = |name: &str| {
            let mut known = TABLE.iter().filter(|setting| setting.is_for(service));
            known.any(|setting| setting.names().any(|known| known.to_lowercase() == name))
        };
        for (old, new) in renamed(service) {
            let old = old.to_lowercase();
            if self.values.contains_key(&old) {
                return Err(self.places.locate(is_called(&old, new)));
            }
        }
        match self.values.keys().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => {
                let reason = format!("{} has no such setting", service.binary());
                Err(self.places.locate(bad(name, reason)))
            }
        }
    }

    /// The path that `key`, the name of a setting that names a file, gives.
    fn path_of(&self, key: &str) -> Result<Option<&str>, BadSetting> {
        match self
            .values
            .get(&key.to_lowercase())
            .map(|value| &value.kind)
        {
            None => Ok(None),
            Some(ValueKind::String(path)) => Ok(Some(path)),
            Some(_) => Err(bad(key, "must be a text")),
        }
    }
}

/// All settings of the service, each from the place that goes over the others; and where in the file
/// those are that come from there.
///
/// # Errors
/// The first name that is unknown, or that is given in a way that cannot be.
pub(super) fn merge(
    service: Service,
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(Config, Places), BadSetting> {
    let environment = |key: &str| environment(key).filter(|value| !value.is_empty());
    if let Some((old, new)) = renamed(service).find(|(old, _)| environment(old).is_some()) {
        return Err(is_called(old, new));
    }
    let known = || TABLE.iter().filter(|setting| setting.is_for(service));
    let mut builder = Config::builder();
    for setting in known() {
        builder = builder
            .set_default(setting.key.to_lowercase(), setting.default_for(service))
            .map_err(|error| bad(setting.key, error))?;
    }
    let mut file = file.map(SettingsFile::read).transpose()?;
    if let Some(file) = &file {
        file.check_names(service)?;
        builder = builder.add_source(file.source.clone());
    }
    for setting in known() {
        let value = match setting.is_secret {
            true => secret(setting, file.as_ref(), environment)?,
            false => environment(setting.key),
        };
        if let Some(value) = value {
            builder = with(builder, setting, value)?;
            if let Some(file) = &mut file {
                file.places.forget(setting.key);
            }
        }
    }
    let merged = builder.build().map_err(|error| bad("settings", error))?;
    Ok((merged, file.map(|file| file.places).unwrap_or_default()))
}

fn with(
    builder: ConfigBuilder<DefaultState>,
    setting: &Setting,
    value: String,
) -> Result<ConfigBuilder<DefaultState>, BadSetting> {
    builder
        .set_override(setting.key.to_lowercase(), value)
        .map_err(|error| bad(setting.key, error))
}

/// The value of a setting that may be in a file of its own, unless the settings
/// file or the default has it as it is. Only the file that counts is read.
fn secret(
    setting: &Setting,
    file: Option<&SettingsFile>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, BadSetting> {
    let (key, file_key) = (setting.key, secret_file::file_key(setting.key));
    let (value, path) = (environment(key), environment(&file_key));
    let given = (value.is_some(), path.is_some());
    secret_file::given_once(key, given, "the environment")?;
    let in_file = match file {
        None => None,
        Some(file) => {
            let path = file.path_of(&file_key)?;
            let given = (
                file.values.contains_key(&key.to_lowercase()),
                path.is_some(),
            );
            secret_file::given_once(key, given, &file.path)?;
            path
        }
    };
    match (value, path.as_deref().or(in_file)) {
        (Some(value), _) => Ok(Some(value)),
        (None, Some(path)) => secret_file::read(&file_key, Path::new(path)).map(Some),
        (None, None) => Ok(None),
    }
}

/// Where the service listens and whether it speaks TLS, without a look at what its other settings are.
///
/// # Errors
/// When the setting is no address, or the file that may have it cannot be read.
pub(super) fn listen(
    service: Service,
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(SocketAddr, bool), BadSetting> {
    const KEY: &str = "LISTEN";
    let is_listed = environment(KEY).is_some_and(|value| !value.is_empty());
    let in_file = match file.map(SettingsFile::read) {
        // The address is known without it.
        Some(Err(_)) if is_listed => BTreeMap::new(),
        Some(read) => read?.values,
        None => BTreeMap::new(),
    };
    let given = |key: &str| {
        let value = environment(key).filter(|value| !value.is_empty());
        value.or_else(|| in_file.get(&key.to_lowercase()).map(ToString::to_string))
    };
    let default = || TABLE.iter().find(|setting| setting.key == KEY);
    let listen = given(KEY).or_else(|| default().map(|setting| setting.default_for(service)));
    let parsed = listen.and_then(|listen| listen.parse().ok());
    let listen = parsed.ok_or_else(|| bad(KEY, super::check::ADDRESS_WANTED))?;
    let speaks_tls = given(CERTIFICATE_KEY).is_some_and(|path| !path.is_empty());
    Ok((listen, speaks_tls))
}
