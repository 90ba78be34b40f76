//! A service whose cache is in its memory beside another one on the same database.

use std::process::Output;

use testkit::http::user_path;
use testkit::parts::{Installation, Parts};
use testkit::service::{Service, ServiceProcess, run_to_end};
use testkit::wait::wait_until;

const MEMORY: (&str, &str) = ("CACHE_URL", "memory:");
const EXIT_BAD_SETTINGS: i32 = 64;

/// What takes part, and the folder of the file journal that each has to itself.
struct Site {
    installation: Installation,
    folder: tempfile::TempDir,
}

impl Site {
    fn new(service: Service) -> Site {
        Site {
            installation: Parts::RedisMariaDb.install(service),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn start(&self, service: Service, place: &str, env: &[(&str, &str)]) -> ServiceProcess {
        let folder = self.folder.path().join(place);
        std::fs::create_dir_all(&folder).unwrap();
        let plain: Vec<(&str, &str)> = self.installation.settings().collect();
        ServiceProcess::start_in(&folder, service, &[plain.as_slice(), env].concat())
    }

    /// One that must end by itself.
    fn start_in_vain(&self, service: Service, env: &[(&str, &str)]) -> Output {
        let mut command = service.command();
        command
            .env("LISTEN", "127.0.0.1:0")
            .envs(self.installation.settings())
            .envs(env.iter().copied())
            .current_dir(self.folder.path());
        run_to_end(&mut command)
    }

    /// The connection that holds the lock of a memory cache.
    fn holder(&self) -> Option<String> {
        let database = self.installation.database().unwrap();
        let asked = "SELECT IS_USED_LOCK(CONCAT('memory cache ', LPAD(LOWER(HEX(CRC32(DATABASE()))), 8, '0')))";
        let holder = database.query_rows(asked).concat().concat();
        (holder != "NULL").then_some(holder)
    }

    fn take_lock_from(&self, holder: &str) {
        self.installation.database().unwrap().kill(holder);
        wait_until("the lock is free", || {
            self.holder().as_deref() != Some(holder)
        });
    }
}

fn assert_refused(ended: &Output, sentence: &str) {
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(EXIT_BAD_SETTINGS), "{said}");
    assert!(said.contains(sentence), "{said}");
}

fn ready(process: &ServiceProcess) -> u16 {
    process.client().get("/readyz").status
}

fn write(process: &ServiceProcess, service: Service) -> u16 {
    let user = serde_json::json!({ "name": "a", "age": 30, "occupation": "Engineer" });
    let path = service.write_path();
    process.client().post_json(path, &user).status
}

#[test]
#[ignore = "needs servers"]
fn a_second_memory_cache_on_a_database_is_refused() {
    for service in Service::all() {
        let site = Site::new(service);
        let mut first = site.start(service, "first", &[MEMORY]);
        let refused = site.start_in_vain(Service::WriteThrough, &[MEMORY]);
        assert_refused(&refused, "the only one on its database");
        assert_eq!(write(&first, service), 200);
        // A killed process holds nothing.
        first.kill_9();
        let next = site.start(service, "first", &[MEMORY]);
        assert_eq!(ready(&next), 200);
    }
}

#[test]
#[ignore = "needs servers"]
fn a_memory_cache_beside_a_redis_is_refused_and_vice_versa() {
    let (through, behind) = (Service::WriteThrough, Service::WriteBehind);
    let site = Site::new(through);
    let mut with_redis = site.start(through, "with redis", &[]);
    let refused = site.start_in_vain(behind, &[MEMORY]);
    assert_refused(&refused, "the only one on its database");
    // As many with Redis as there are.
    drop(site.start(through, "another", &[]));
    assert!(with_redis.terminate().success());
    let mut handed_over = site.installation.command();
    let (key, memory) = MEMORY;
    let handed_over = run_to_end(handed_over.env(key, memory).args(["identity", "move"]));
    assert!(handed_over.status.success());
    let with_memory = site.start(through, "with memory", &[MEMORY]);
    let refused = site.start_in_vain(behind, &[]);
    assert_refused(&refused, "would not hear of what this one writes");
    assert_eq!(ready(&with_memory), 200);
}

#[test]
#[ignore = "needs servers"]
fn a_lost_lock_is_taken_again() {
    let service = Service::WriteThrough;
    let site = Site::new(service);
    let first = site.start(service, "first", &[MEMORY]);
    let lost = site.holder().unwrap();
    site.take_lock_from(&lost);
    wait_until("the lock is held again", || site.holder().is_some());
    assert_eq!((ready(&first), write(&first, service)), (200, 200));
    let refused = site.start_in_vain(service, &[MEMORY]);
    assert_refused(&refused, "the only one on its database");
}

#[test]
#[ignore = "needs servers"]
fn a_process_that_was_not_alone_stops_serving() {
    for other_stays in [true, false] {
        let service = Service::WriteThrough;
        let site = Site::new(service);
        let mut first = site.start(service, "first", &[MEMORY]);
        assert_eq!(write(&first, service), 200);
        let lost = site.holder().unwrap();
        first.pause();
        site.take_lock_from(&lost);
        let mut second = site.start(service, "second", &[MEMORY]);
        assert_eq!(write(&second, service), 200);
        if !other_stays {
            assert!(second.terminate().success());
        }
        first.resume();
        wait_until("the first serves no more", || ready(&first) == 503);
        let said = first.client().get("/readyz").text().to_owned();
        assert!(said.contains("must be restarted"), "{said}");
        let read = first.client().get(&user_path("a"));
        assert_eq!(read.status, 503, "{}", read.text());
        assert_eq!(first.client().get("/users").status, 503);
        assert_eq!(write(&first, service), 503);
        if other_stays {
            assert_eq!((ready(&second), write(&second, service)), (200, 200));
        }
    }
}
