//! A server whose certificate is exchanged for a wrong one while a service runs: the service goes on as
//! without that server, says why, and takes it again when it is right.

use std::fs;

use testkit::certificates::{Authority, Validity};
use testkit::parts::Installation;
use testkit::service::Service;
use testkit::wait::wait_until;

use crate::site::{Api, Clients, HOSTS, Site};

fn run(installation: Installation, service: Service) -> (testkit::parts::RunningService, Api) {
    let running = installation.run();
    let client = running.client();
    (running, Api { service, client })
}

#[test]
#[ignore = "needs servers"]
fn a_redis() {
    let mut site = Site::start(Clients::Anybody);
    // Each has a database of its own: write-through does not bypass a Redis that write-behind has used
    // for the same database.
    let (mut behind, behind_api) = run(site.install(Service::WriteBehind), Service::WriteBehind);
    let (mut through, through_api) =
        run(site.install(Service::WriteThrough), Service::WriteThrough);
    for api in [&behind_api, &through_api] {
        assert_eq!(api.write("before"), 200);
    }

    let other = Authority::new("other");
    let right = site.authority.server(&HOSTS, Validity::Valid);
    let files = site.redis.files.clone();
    other.server(&HOSTS, Validity::Valid).copy_over(&files);
    site.redis.server.crash_and_restart();
    let reason = format!(
        "at 127.0.0.1:{} is not signed by a CA in CACHE_CA_FILE",
        site.redis.port
    );
    wait_until("write-behind answers 503 and says why", || {
        behind_api.write("meanwhile") == 503 && behind.logs().contains(&reason)
    });
    wait_until("write-through goes past Redis and says why", || {
        through_api.write("meanwhile") == 200 && through.logs().contains(&reason)
    });
    for process in [behind.process(), through.process()] {
        assert_eq!(process.exit_status_now(), None);
    }

    right.copy_over(&files);
    site.redis.server.crash_and_restart();
    wait_until("write-behind works again", || {
        behind_api.write("after") == 200
    });
    wait_until("write-through uses Redis again", || {
        through_api.client.get("/readyz").json()["bypassing"] == false
    });
    assert_eq!(behind_api.read("before"), 200);
    assert_eq!(through_api.read("meanwhile"), 200);

    // Of the other CA again, which the services are told to trust now.
    other.server(&HOSTS, Validity::Valid).copy_over(&files);
    fs::copy(other.ca_file(), site.authority.ca_file()).unwrap();
    site.redis.server.crash_and_restart();
    wait_until("write-behind trusts the other CA", || {
        behind_api.write("after") == 200
    });
}

#[test]
#[ignore = "needs servers"]
fn a_database() {
    let mut site = Site::start(Clients::Anybody);
    let other = Authority::new("other");
    let right = site.authority.server(&HOSTS, Validity::Valid);
    for service in Service::all() {
        let (mut running, api) = run(site.install(service), service);
        assert_eq!(api.write("before"), 200);
        api.flush();
        other
            .server(&HOSTS, Validity::Valid)
            .copy_over(&site.database_files);
        site.database.crash_and_restart();
        let port = site.database.port();
        let reason =
            format!("the database at 127.0.0.1:{port} is not signed by a CA in DATABASE_CA_FILE");
        wait_until("it says why", || {
            let status = api.write("meanwhile");
            let expected = [200, 503];
            assert!(expected.contains(&status), "{status}");
            running.logs().contains(&reason)
        });
        right.copy_over(&site.database_files);
        site.database.crash_and_restart();
        wait_until("it works again", || api.write("after") == 200);
        api.flush();
        assert_eq!(api.read("after"), 200);
        assert_eq!(running.process().exit_status_now(), None);

        // Of the other CA again, which the service is told to trust now.
        let ca = fs::read(site.authority.ca_file()).unwrap();
        let files = &site.database_files;
        other.server(&HOSTS, Validity::Valid).copy_over(files);
        fs::copy(other.ca_file(), site.authority.ca_file()).unwrap();
        site.database.crash_and_restart();
        wait_until("it trusts the other CA", || api.write("later") == 200);
        api.flush();
        drop(running);
        fs::write(site.authority.ca_file(), ca).unwrap();
        right.copy_over(&site.database_files);
        site.database.crash_and_restart();
    }
}
