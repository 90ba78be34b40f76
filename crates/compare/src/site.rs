//! What a comparison runs on: the services, on fresh parts of their own.

pub mod binaries;
mod leftovers;
mod output;
pub mod process;
mod running;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;

use url::Url;

use crate::error::{Error, Result};
use crate::fault::Lever;
use crate::pattern::Pattern;
use crate::server_url::ServerUrl;
use crate::servers::{mysql, redis};
use crate::started::ScratchFolder;

use binaries::Binaries;
use leftovers::Leftovers;
use process::ServiceProcess;

/// The variable that makes of this tool one of its own services, and says which.
pub const SERVES: &str = "COMPARE_SERVES";
/// The plain handlers.
pub(crate) const NAIVE: &str = "naive";
/// Where a plain handler keeps its entries in Redis.
pub(crate) const KEY: &str = "COMPARE_KEY";

/// What the services run on.
#[derive(Clone, Debug)]
pub enum Backends {
    /// Memory cache, SQLite and file journal, in a temporary folder of each service's own.
    Embedded,
    /// These servers; each service has a fresh database of its own there.
    Servers {
        /// A Redis.
        cache: ServerUrl,
        /// A MySQL or MariaDB. A database that its URL names is left alone.
        database: ServerUrl,
    },
    /// Whatever these services, which run already, are on.
    Running {
        /// `http://host:port` of write-through-svc.
        write_through: Url,
        /// `http://host:port` of write-behind-svc.
        write_behind: Url,
    },
}

impl Backends {
    /// Those of two servers.
    ///
    /// # Errors
    /// When one of the URLs is of something else.
    pub fn servers(cache: &str, database: &str) -> Result<Backends> {
        Ok(Backends::Servers {
            cache: ServerUrl::redis(cache)?,
            database: ServerUrl::mysql(database)?,
        })
    }

    /// In words: `memory cache, SQLite`.
    pub fn in_words(&self) -> String {
        match self {
            Backends::Embedded => "memory cache, file journal, SQLite".to_owned(),
            Backends::Servers { cache, database } => format!("{cache}, {database}"),
            Backends::Running { .. } => "services that ran already".to_owned(),
        }
    }

    fn needs_binaries(&self) -> bool {
        !matches!(self, Backends::Running { .. })
    }
}

/// Where services are started, or found.
#[derive(Debug)]
pub struct Site {
    parts: Backends,
    binaries: Option<Binaries>,
    leftovers: Mutex<Leftovers>,
}

/// A service that runs, and what is known of what it runs on.
#[derive(Debug)]
pub struct RunningService {
    pattern: Pattern,
    address: SocketAddr,
    url: Url,
    lever: Option<Lever>,
    redis_lever: Option<Lever>,
    // In this order: the process ends before its folder is removed.
    process: Option<ServiceProcess>,
    folder: Option<ScratchFolder>,
    database: Option<Database>,
    redis: Option<ServerUrl>,
}

/// A database that the tool can reach itself.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A database of a server.
    Mysql(ServerUrl),
}

impl Site {
    /// Checks that everything is there that services need. `binaries` may be absent only for
    /// services that run already.
    ///
    /// # Errors
    /// When a server does not answer or does not let a database be created, or a service that
    /// should run does not, or is another one.
    pub async fn prepare(parts: Backends, binaries: Option<Binaries>) -> Result<Site> {
        if parts.needs_binaries() && binaries.is_none() {
            return Err(Error::Usage(
                "there are no services to start: build them first".to_owned(),
            ));
        }
        match &parts {
            Backends::Embedded => {}
            Backends::Servers { cache, database } => {
                redis::ping(cache).await?;
                let name = leftovers::unique_name("check");
                mysql::create_database(database, &name).await?;
                mysql::drop_database(database, &name).await?;
            }
            Backends::Running {
                write_through,
                write_behind,
            } => {
                running::check(Pattern::WriteThrough, write_through).await?;
                running::check(Pattern::WriteBehind, write_behind).await?;
            }
        }
        Ok(Site {
            parts,
            binaries,
            leftovers: Mutex::default(),
        })
    }

    /// Starts a service on fresh parts, or finds the one that runs already. `fault_possible`:
    /// whether its database may be disturbed, which can cost a little even while it is not.
    ///
    /// # Errors
    /// When it does not start, with what it said; when its database cannot be disturbed and
    /// may have to be.
    pub async fn start(&self, pattern: Pattern, fault_possible: bool) -> Result<RunningService> {
        self.start_with(pattern, fault_possible, false).await
    }

    /// The same, and its Redis can be taken away, too, if it has one without TLS.
    ///
    /// # Errors
    /// As [`Site::start`].
    pub async fn start_breakable(&self, pattern: Pattern) -> Result<RunningService> {
        self.start_with(pattern, true, true).await
    }

    async fn start_with(
        &self,
        pattern: Pattern,
        fault_possible: bool,
        redis_too: bool,
    ) -> Result<RunningService> {
        match &self.parts {
            Backends::Embedded => self.start_embedded(pattern, fault_possible).await,
            Backends::Servers { cache, database } => {
                let faults = (fault_possible, redis_too);
                self.start_on_servers(pattern, cache, database, faults)
                    .await
            }
            Backends::Running { .. } if fault_possible => Err(Error::Usage(
                "the database of services that run already is out of the tool's reach, so it \
                 cannot be disturbed"
                    .to_owned(),
            )),
            Backends::Running {
                write_through,
                write_behind,
            } => {
                let url = match pattern.is_behind() {
                    false => write_through,
                    true => write_behind,
                };
                Ok(RunningService {
                    pattern,
                    address: running::check(pattern, url).await?,
                    url: url.clone(),
                    lever: None,
                    redis_lever: None,
                    process: None,
                    folder: None,
                    database: None,
                    redis: None,
                })
            }
        }
    }

    async fn start_embedded(
        &self,
        pattern: Pattern,
        fault_possible: bool,
    ) -> Result<RunningService> {
        let folder = ScratchFolder::make()?;
        let file = folder.path().join("users.db");
        let database = format!("sqlite://{}", file.display());
        let mut settings = vec![("DATABASE_URL", database)];
        if pattern.is_naive() {
            settings.push((SERVES, NAIVE.to_owned()));
        }
        if pattern == Pattern::WriteBehind {
            let journal = format!("file:{}", folder.path().join("journal").display());
            settings.push(("JOURNAL_URL", journal));
        }
        let process = self.start_process(pattern, &folder, &settings).await?;
        let lever = fault_possible.then(|| Lever::on_file(&file)).transpose()?;
        let service = running_service(pattern, process, folder, Database::Sqlite(file))?;
        Ok(RunningService { lever, ..service })
    }

    async fn start_on_servers(
        &self,
        pattern: Pattern,
        cache: &ServerUrl,
        server: &ServerUrl,
        (fault_possible, redis_too): (bool, bool),
    ) -> Result<RunningService> {
        let mut reached = server.clone();
        let mut lever = None;
        if fault_possible {
            let proxy = Lever::before_server(server.host(), server.port()).await?;
            if let Some(address) = proxy.proxy() {
                reached = server.through(address)?;
            }
            lever = Some(proxy);
        }
        let (mut reached_cache, mut redis_lever) = (cache.clone(), None);
        if redis_too && cache.is_plain_redis() {
            let proxy = Lever::before_server(cache.host(), cache.port()).await?;
            if let Some(address) = proxy.proxy() {
                reached_cache = cache.placed_at(address)?;
            }
            redis_lever = Some(proxy);
        }
        let name = leftovers::unique_name(match pattern {
            Pattern::WriteThrough => "wt",
            Pattern::WriteBehind => "wb",
            Pattern::NaiveThrough | Pattern::NaiveBehind => "naive",
        });
        // Before it is there, so that nothing that happens from here on leaves it behind.
        self.leftovers().add(server, name.clone());
        mysql::create_database(server, &name).await?;
        let folder = ScratchFolder::make()?;
        let reached = reached.with_database(&name);
        let mut settings = vec![
            ("DATABASE_URL", reached.expose().to_owned()),
            ("CACHE_URL", reached_cache.expose().to_owned()),
        ];
        if pattern.is_naive() {
            settings.push((SERVES, NAIVE.to_owned()));
            settings.push((KEY, name.clone()));
        }
        let process = self.start_process(pattern, &folder, &settings).await?;
        let database = Database::Mysql(server.with_database(&name));
        let service = running_service(pattern, process, folder, database)?;
        Ok(RunningService {
            lever,
            redis_lever,
            redis: Some(cache.clone()),
            ..service
        })
    }

    async fn start_process(
        &self,
        pattern: Pattern,
        folder: &ScratchFolder,
        settings: &[(&str, String)],
    ) -> Result<ServiceProcess> {
        let Some(binaries) = &self.binaries else {
            return Err(Error::Usage("there are no services to start".to_owned()));
        };
        ServiceProcess::start(&binaries.of(pattern), folder.path(), settings).await
    }

    /// Drops the databases of services that were started, and removes what these left in Redis.
    /// Stop them first: also the database of one that still runs is dropped. May be called again,
    /// for what could not be removed and for services that were started since.
    ///
    /// # Errors
    /// The first one, with what is left; everything else is removed all the same.
    pub async fn clean_up(&self) -> Result<()> {
        let Backends::Servers { cache, database } = &self.parts else {
            return Ok(());
        };
        let names = self.leftovers().names();
        let mut first = None;
        for name in names {
            match leftovers::remove(cache, database, &name).await {
                Ok(()) => self.leftovers().forget(database, &name),
                Err(error) => first = first.or(Some(error)),
            }
        }
        match first {
            Some(why) => Err(Error::Failed(format!(
                "{why}\nleft on {database}: {}; left in {cache}: the keys that `identity show` of a \
                 service names on each",
                self.leftovers().names().join(", ")
            ))),
            None => Ok(()),
        }
    }

    fn leftovers(&self) -> std::sync::MutexGuard<'_, Leftovers> {
        // A list of names is whole whatever happened meanwhile.
        self.leftovers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl RunningService {
    /// Which it is.
    pub fn pattern(&self) -> Pattern {
        self.pattern
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, `http://host:port/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its process, if it is one that the tool has started.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ServiceProcess::pid)
    }

    /// Its database, if the tool can reach that.
    pub fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// What disturbs its database, if that was said to be possible.
    pub fn database_lever(&self) -> Option<&Lever> {
        self.lever.as_ref()
    }

    /// What takes its Redis away, if that was said to be possible.
    pub fn redis_lever(&self) -> Option<&Lever> {
        self.redis_lever.as_ref()
    }

    /// Kills it, if it was started here.
    ///
    /// # Errors
    /// When it is there a while later.
    pub async fn kill(&mut self) -> Result<()> {
        match &mut self.process {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Starts it again on the same parts, where it was.
    ///
    /// # Errors
    /// When it does not start, with what it said.
    pub async fn restart(&mut self) -> Result<()> {
        match &mut self.process {
            Some(process) => process.restart().await,
            None => Ok(()),
        }
    }

    /// Its Redis, if it has one and the tool can reach that.
    pub fn redis(&self) -> Option<&ServerUrl> {
        self.redis.as_ref()
    }

    /// Stops it if it was started here, and removes its folder. Does nothing to one that ran
    /// already.
    ///
    /// # Errors
    /// When it did not stop by itself in time and was killed, or ended with an error; with what
    /// it said. It has ended in any case.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(lever) = self.lever.take() {
            // So that it can bring what it has to the database. If it cannot, it says so.
            let _ = lever.restore().await;
        }
        if let Some(lever) = self.redis_lever.take() {
            let _ = lever.restore().await;
            // The proxy has to be there until the service has stopped.
            self.redis_lever = Some(lever);
        }
        let stopped = match self.process.take() {
            Some(process) => process.stop().await,
            None => Ok(()),
        };
        let removed = match self.folder.take() {
            Some(folder) => folder.remove(),
            None => Ok(()),
        };
        stopped.and(removed)
    }
}

fn running_service(
    pattern: Pattern,
    process: ServiceProcess,
    folder: ScratchFolder,
    database: Database,
) -> Result<RunningService> {
    let address = process.address();
    let url = Url::parse(&format!("http://{address}"))
        .map_err(|why| Error::failed("making a URL of an address", why))?;
    Ok(RunningService {
        pattern,
        address,
        url,
        lever: None,
        redis_lever: None,
        process: Some(process),
        folder: Some(folder),
        database: Some(database),
        redis: None,
    })
}
