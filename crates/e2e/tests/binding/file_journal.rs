//! A file journal at whose next start another database is configured.

use testkit::proxy::ChaosProxy;
use testkit::servers::TestDatabase;
use testkit::service::{Service, ServiceProcess, run_to_end};

use crate::site::{REFUSED, must_write, rows, settle};

#[test]
#[ignore = "needs servers"]
fn what_waits_in_a_file_journal_goes_to_its_own_database_only() {
    let service = Service::WriteBehind;
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (TestDatabase::create(), TestDatabase::create());
    let proxy = ChaosProxy::before(&own.url());
    let by_proxy = proxy.url(&own.url());
    let mut process =
        ServiceProcess::start_in(folder.path(), service, &[("DATABASE_URL", &by_proxy)]);
    must_write(&process.client(), "first", 30);
    settle(service, &process.client());
    proxy.cut();
    for number in 0..20 {
        must_write(&process.client(), &format!("waits {number}"), 31);
    }
    process.kill_9();

    let on_other = |arguments: &[&str]| {
        let mut command = service.command();
        command
            .env("LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", other.url())
            .args(arguments)
            .current_dir(folder.path());
        run_to_end(&mut command)
    };
    let output = on_other(&[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(REFUSED), "{said}");
    for word in [
        "20 acknowledged writes",
        own.name(),
        other.name(),
        "identity move",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(rows(&other), Vec::<Vec<String>>::new());
    let relied_on_by = other.query_rows("SELECT process FROM cache_members");
    assert_eq!(relied_on_by, Vec::<Vec<String>>::new());
    // The way to the database does not matter: its server says where it is.
    let mut process =
        ServiceProcess::start_in(folder.path(), service, &[("DATABASE_URL", &own.url())]);
    settle(service, &process.client());
    assert_eq!(rows(&own).len(), 21);
    assert!(process.terminate().success());
    // An empty one is handed over.
    let process =
        ServiceProcess::start_in(folder.path(), service, &[("DATABASE_URL", &other.url())]);
    must_write(&process.client(), "other", 32);
    settle(service, &process.client());
    assert_eq!(rows(&other), [["other", "32"]]);
}
