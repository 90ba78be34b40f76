//! How much a client may ask.

use testkit::service::Service;
use testkit::wire::{self, Connection};

use crate::site::Site;

#[test]
fn a_client_above_its_rate_is_told_when_to_come_back() {
    let env = [("RATE_LIMIT_PER_S", "1"), ("RATE_LIMIT_BURST", "5")];
    let site = Site::start(Service::WriteThrough, &env);
    let ask = |token| site.ask("GET", "/users/absent", token);
    let refused = (0..50).map(|_| ask(Some(&site.reader)));
    let refused = refused
        .into_iter()
        .find(|answer| answer.status == 429)
        .expect("a refusal");
    assert_eq!(refused.json()["type"], "/problems/rate-limited");
    assert_eq!(refused.header("Retry-After"), Some("1"));
    // Each token has a rate of its own, and so has the address of those without one.
    assert_eq!(ask(Some(&site.writer)).status, 404);
    let of_address: Vec<u16> = (0..50).map(|_| ask(None).status).collect();
    assert_eq!(of_address[0], 401);
    assert!(of_address.contains(&429), "{of_address:?}");
    // Probes are not refused, and do not count.
    for _ in 0..20 {
        assert_eq!(site.ask("GET", "/healthz", None).status, 200);
        assert_eq!(site.ask("GET", "/readyz", None).status, 200);
    }
}

#[test]
fn requests_beyond_the_most_in_flight_are_refused() {
    let site = Site::start(Service::WriteThrough, &[("REQUESTS_MAX", "1")]);
    let bearer = format!("Bearer {}", site.writer.text);
    // A request whose body is to come is in flight.
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Content-Length", "50"),
    ];
    let head = wire::request("POST", b"/write-through", &headers, None);
    let ask = || site.ask("GET", "/users/absent", Some(&site.reader));
    let mut waiting = None;
    testkit::wait::wait_until("the place is taken", || {
        // Another one, in case that the one before came while this test's own question had the place.
        let mut request = Connection::open(site.process.base_url());
        request.write(&head).unwrap();
        waiting = Some(request);
        ask().status == 503
    });
    let refused = ask();
    assert_eq!(refused.json()["type"], "/problems/overloaded");
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert_eq!(site.ask("GET", "/readyz", None).status, 200);
    drop(waiting);
    testkit::wait::wait_until("the place is free again", || ask().status == 404);
}
