//! What a plain handler makes of each pattern, to compare the services with. It is code of this tool,
//! written as programs without a journal often are: cache and database are written one after the
//! other, and errors are ignored. Its versions are a count of the requests as they arrive, since the
//! tool goes by versions.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::ETAG;
use actix_web::web::{self, Bytes, Data, Json, Path, ServiceConfig};
use cache_core::model::user::User;
use tokio::sync::OnceCell;

use crate::error::{Error, Result};
use crate::server_url::ServerUrl;
use crate::servers::mysql::PlainTable as MysqlTable;
use crate::servers::redis::PlainCache;
use crate::site::KEY;
use crate::sqlite::PlainTable as SqliteTable;

/// How often it is looked whether all tasks have ended, and how often at most.
const LOOK: (Duration, u32) = (Duration::from_millis(10), 12_000);

#[derive(Debug)]
struct Naive {
    redis: Option<(ServerUrl, String)>,
    cache: OnceCell<PlainCache>,
    table: Table,
    version: AtomicU64,
    tasks: AtomicU64,
}

#[derive(Debug)]
enum Table {
    Sqlite(SqliteTable),
    Mysql(MysqlTable),
}

/// SET, then INSERT.
async fn write_through(naive: Data<Naive>, user: Json<User>) -> HttpResponse {
    let version = naive.next();
    let user = user.into_inner();
    naive.put(&user, version).await;
    naive.insert(user, version).await;
    acknowledged(version)
}

/// SET, and a task that INSERTs some time.
async fn write_behind(naive: Data<Naive>, user: Json<User>) -> HttpResponse {
    let version = naive.next();
    let user = user.into_inner();
    naive.put(&user, version).await;
    naive.begin(move |naive| async move { naive.insert(user, version).await });
    acknowledged(version)
}

async fn delete(naive: Data<Naive>, name: Path<String>) -> HttpResponse {
    let version = naive.next();
    naive.forget(&name).await;
    naive.remove(name.into_inner()).await;
    HttpResponse::NoContent()
        .insert_header((ETAG, format!("\"{version}\"")))
        .finish()
}

/// From the cache, and else from the database.
async fn read(naive: Data<Naive>, name: Path<String>) -> HttpResponse {
    let found = match naive.cached(&name).await {
        Some(found) => Some(found),
        None => naive.select(name.into_inner()).await,
    };
    match found {
        Some((user, version)) => HttpResponse::Ok()
            .insert_header((ETAG, format!("\"{version}\"")))
            .json(user),
        None => HttpResponse::NotFound().finish(),
    }
}

fn acknowledged(version: u64) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ETAG, format!("\"{version}\"")))
        .body(Bytes::from_static(
            b"{\"message\":\"Data write successful!\"}\n",
        ))
}

/// For the tool alone: answers when no task is under way any more.
async fn flush(naive: Data<Naive>) -> HttpResponse {
    for _ in 0..LOOK.1 {
        if naive.tasks.load(SeqCst) == 0 {
            return HttpResponse::Ok().finish();
        }
        tokio::time::sleep(LOOK.0).await;
    }
    HttpResponse::ServiceUnavailable().finish()
}

impl Naive {
    fn next(&self) -> u64 {
        self.version.fetch_add(1, SeqCst) + 1
    }

    fn begin<F>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.fetch_add(1, SeqCst);
        let naive = Arc::clone(self);
        tokio::spawn(async move {
            work(Arc::clone(&naive)).await;
            naive.tasks.fetch_sub(1, SeqCst);
        });
    }

    async fn cache(&self) -> Option<&PlainCache> {
        let connect = async || match &self.redis {
            Some((url, key)) => PlainCache::connect(url, key).await,
            None => Ok(PlainCache::in_memory()),
        };
        self.cache.get_or_try_init(connect).await.ok()
    }

    async fn put(&self, user: &User, version: u64) {
        let text = serde_json::to_string(&(user, version)).unwrap_or_default();
        if let Some(cache) = self.cache().await {
            let _ = cache.set(&user.name, text).await;
        }
    }

    async fn cached(&self, name: &str) -> Option<(User, u64)> {
        let text = self.cache().await?.get(name).await.ok()??;
        serde_json::from_str(&text).ok()
    }

    async fn forget(&self, name: &str) {
        if let Some(cache) = self.cache().await {
            let _ = cache.remove(name).await;
        }
    }

    async fn insert(&self, user: User, version: u64) {
        let _ = match &self.table {
            Table::Sqlite(table) => table.insert(user, version).await,
            Table::Mysql(table) => table.insert(user, version).await,
        };
    }

    async fn remove(&self, name: String) {
        let _ = match &self.table {
            Table::Sqlite(table) => table.remove(name).await,
            Table::Mysql(table) => table.remove(name).await,
        };
    }

    async fn select(&self, name: String) -> Option<(User, u64)> {
        let found = match &self.table {
            Table::Sqlite(table) => table.newest(name).await,
            Table::Mysql(table) => table.newest(name).await,
        };
        found.ok().flatten()
    }
}

/// As the services have them, on what the environment says.
pub(super) fn routes() -> Result<impl Fn(&mut ServiceConfig) + Clone + Send + 'static> {
    let variable = |name| env::var(name).unwrap_or_default();
    let database = variable("DATABASE_URL");
    let table = match database.strip_prefix("sqlite://") {
        Some(file) => Table::Sqlite(
            SqliteTable::make(std::path::Path::new(file))
                .map_err(|why| Error::failed(file, why))?,
        ),
        None => Table::Mysql(MysqlTable::of(&ServerUrl::mysql(&database)?)?),
    };
    let redis = match env::var("CACHE_URL") {
        Ok(url) => Some((ServerUrl::redis(&url)?, variable(KEY))),
        Err(_) => None,
    };
    let naive = Data::new(Naive {
        redis,
        cache: OnceCell::new(),
        table,
        version: AtomicU64::new(0),
        tasks: AtomicU64::new(0),
    });
    Ok(move |config: &mut ServiceConfig| {
        config
            .app_data(naive.clone())
            .route("/write-through", web::post().to(write_through))
            .route("/write-behind", web::post().to(write_behind))
            .route("/users/{name}", web::get().to(read))
            .route("/users/{name}", web::delete().to(delete))
            .route("/flush", web::post().to(flush));
    })
}
