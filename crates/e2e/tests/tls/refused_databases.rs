//! A database server that a service does not trust: it ends at once.

use testkit::certificates::{Authority, Validity};
use testkit::own_servers::OwnServer;
use testkit::parts::Installation;
use testkit::servers::redis_url;
use testkit::service::Service;

use crate::site::{HOSTS, TLS_USER, database_on, expect_ended_at_once, tls_database, url_for};

/// A service that reaches the tests' Redis without TLS.
fn install(service: Service, server: &OwnServer, ca_file: &str) -> Installation {
    let database = database_on(server);
    let url = url_for(TLS_USER, &database, server);
    let mut installation = Installation::on(service, &redis_url(), database);
    installation.set("DATABASE_URL", &url);
    installation.set("DATABASE_CA_FILE", ca_file);
    installation.set("STARTUP_DEADLINE_S", "50");
    installation
}

#[test]
#[ignore = "needs servers"]
fn one_whose_certificate_is_not_as_it_should_be() {
    let (own, other) = (Authority::new("own"), Authority::new("other"));
    let files = own.server(&HOSTS, Validity::Valid);
    let mut server = tls_database(&own, &files);
    for service in Service::all() {
        for (wrong, reason) in [
            (
                other.server(&HOSTS, Validity::Valid),
                "is not signed by a CA in DATABASE_CA_FILE",
            ),
            (
                own.server(&["elsewhere.example"], Validity::Valid),
                "is not for the host name 127.0.0.1",
            ),
            (own.server(&HOSTS, Validity::Expired), "has expired"),
        ] {
            wrong.copy_over(&files);
            server.crash_and_restart();
            let port = server.port();
            expect_ended_at_once(
                &install(service, &server, own.ca_file()),
                &format!("the certificate of the database at 127.0.0.1:{port} {reason}"),
            );
        }
        own.server(&HOSTS, Validity::Valid).copy_over(&files);
        server.crash_and_restart();
        let mut public = install(service, &server, "");
        let url = public.setting("DATABASE_URL").unwrap().to_owned();
        public.set("DATABASE_URL", &format!("{url}?require_ssl=true"));
        expect_ended_at_once(&public, "is not signed by a public CA");
    }
}

#[test]
#[ignore = "needs servers"]
fn one_that_does_not_speak_tls() {
    let authority = Authority::new("own");
    let server = OwnServer::database_in_plain_text();
    for service in Service::all() {
        let sentence = format!(
            "the database at 127.0.0.1:{} does not speak TLS",
            server.port()
        );
        expect_ended_at_once(&install(service, &server, authority.ca_file()), &sentence);
        let mut asked_by_the_url = install(service, &server, "");
        let url = asked_by_the_url.setting("DATABASE_URL").unwrap().to_owned();
        asked_by_the_url.set("DATABASE_URL", &format!("{url}?require_ssl=true"));
        expect_ended_at_once(&asked_by_the_url, &sentence);
    }
}
