//! What both services do where TLS is as it should be.

use testkit::certificates::{Authority, CertificateFiles};
use testkit::http::user_path;
use testkit::parts::Installation;
use testkit::service::{Service, run_to_end};
use testkit::wait::wait_until;

use crate::site::{Api, CERTIFIED_USER, Clients, Connections, Site, expect_ended, url_for};

/// Writes, reads, changes and deletes, and looks at what the database has of it.
#[track_caller]
fn use_it(site: &Site, installation: Installation, service: Service) {
    let running = installation.run();
    let api = Api {
        service,
        client: running.client(),
    };
    for name in ["Ann", "Bob", "Cid"] {
        assert_eq!(api.write(name), 200);
        assert_eq!(api.read(name), 200);
    }
    assert_eq!(api.client.delete(&user_path("Bob")).status, 204);
    assert_eq!(api.read("Bob"), 404);
    api.flush();
    let users = "SELECT name FROM users WHERE deleted_at IS NULL ORDER BY name";
    let users = running.database().unwrap().query_rows(users);
    assert_eq!(users, [["Ann"], ["Cid"]]);

    let listens = service == Service::WriteBehind;
    wait_until("only write-behind hears other processes", || {
        let subscribed = site.redis.connections().subscribed_by_tls;
        (subscribed > 0) == listens
    });
    let Connections { by_tls, plain, .. } = site.redis.connections();
    assert!(by_tls > 0, "no connection on the port for TLS");
    assert_eq!(plain, 0, "a connection on the plain port");
}

#[test]
#[ignore = "needs servers"]
fn both_services_work_by_tls_with_a_private_ca() {
    let site = Site::start(Clients::Anybody);
    for service in Service::all() {
        use_it(&site, site.install(service), service);

        // By name too, and where the URL says it as well.
        let mut installation = site.install(service);
        let url = site.redis.url().replace("127.0.0.1", "localhost");
        installation.set("CACHE_URL", &url);
        let url = installation.setting("DATABASE_URL").unwrap().to_owned();
        let url = url.replace("127.0.0.1", "localhost");
        installation.set("DATABASE_URL", &format!("{url}?require_ssl=true"));
        use_it(&site, installation, service);
    }
}

#[test]
#[ignore = "needs servers"]
fn the_database_refuses_clients_without_tls() {
    let site = Site::start(Clients::Anybody);
    for service in Service::all() {
        let mut installation = site.install(service);
        installation.set("DATABASE_CA_FILE", "");
        installation.set("STARTUP_DEADLINE_S", "1");
        let output = run_to_end(&mut installation.command());
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("Access denied"), "{said}");
    }
}

#[test]
#[ignore = "needs servers"]
fn what_is_not_to_be_checked_is_still_encrypted() {
    let site = Site::start(Clients::Anybody);
    for service in Service::all() {
        let mut installation = site.install(service);
        installation.set("DATABASE_CA_FILE", "");
        let url = installation.setting("DATABASE_URL").unwrap().to_owned();
        let unchecked = "require_ssl=true&verify_ca=false&verify_identity=false";
        installation.set("DATABASE_URL", &format!("{url}?{unchecked}"));
        use_it(&site, installation, service);
    }
}

#[test]
#[ignore = "needs servers"]
fn client_certificates_are_shown_to_servers_that_want_them() {
    let site = Site::start(Clients::Certified);
    for service in Service::all() {
        let mut installation = site.install(service);
        let database = installation.database().unwrap();
        let url = url_for(CERTIFIED_USER, database, &site.database);
        installation.set("DATABASE_URL", &url);
        let client = site.authority.client("a service");
        let [certificate, key] = client.paths();
        for (name, path) in [
            ("CACHE_CERT_FILE", certificate),
            ("CACHE_KEY_FILE", key),
            ("DATABASE_CERT_FILE", certificate),
            ("DATABASE_KEY_FILE", key),
        ] {
            installation.set(name, path);
        }
        use_it(&site, installation, service);
    }
}

#[test]
#[ignore = "needs servers"]
fn a_service_that_shows_no_client_certificate_ends_where_one_is_wanted() {
    let site = Site::start(Clients::Certified);
    for service in Service::all() {
        let mut installation = site.install(service);
        let port = site.redis.port;
        expect_ended(
            &installation,
            &format!(
                "the cache at 127.0.0.1:{port} wants a client certificate: CACHE_CERT_FILE and \
                 CACHE_KEY_FILE"
            ),
        );
        let database = installation.database().unwrap();
        let url = url_for(CERTIFIED_USER, database, &site.database);
        installation.set("DATABASE_URL", &url);
        let port = site.database.port();
        expect_ended(
            &installation,
            &format!(
                "the database at 127.0.0.1:{port} refuses the user of DATABASE_URL: the password \
                 is wrong, or it wants a client certificate, DATABASE_CERT_FILE and \
                 DATABASE_KEY_FILE"
            ),
        );
    }
}

#[test]
#[ignore = "needs servers"]
fn a_service_ends_whose_client_certificate_is_refused() {
    let site = Site::start(Clients::Certified);
    let other_ca = Authority::new("other");
    let other = other_ca.client("a service");
    let right = site.authority.client("a service");
    for service in Service::all() {
        let mut installation = site.install(service);
        let shown = |installation: &mut Installation, prefix: &str, files: &CertificateFiles| {
            let [certificate, key] = files.paths();
            installation.set(&format!("{prefix}_CERT_FILE"), certificate);
            installation.set(&format!("{prefix}_KEY_FILE"), key);
        };
        shown(&mut installation, "CACHE", &other);
        let port = site.redis.port;
        let sentence = "refuses the client certificate in CACHE_CERT_FILE";
        expect_ended(
            &installation,
            &format!("the cache at 127.0.0.1:{port} {sentence}"),
        );
        shown(&mut installation, "CACHE", &right);
        shown(&mut installation, "DATABASE", &other);
        let port = site.database.port();
        let sentence = "refuses the client certificate in DATABASE_CERT_FILE";
        expect_ended(
            &installation,
            &format!("the database at 127.0.0.1:{port} {sentence}"),
        );
    }
}
