//! Services that run already.

use testkit::parts::Parts;
use testkit::service::Service;

use crate::tool::compare;

#[test]
fn services_that_run_already_are_asked_themselves_in_the_end() {
    let write_through = Parts::Embedded.start(Service::WriteThrough);
    let write_behind = Parts::Embedded.start(Service::WriteBehind);
    let (through, behind) = (write_through.base_url(), write_behind.base_url());
    let common = [
        "--no-ceiling",
        "--duration",
        "2",
        "--rate",
        "200",
        "--names",
        "100",
    ];
    let words = [
        &["--write-through", through, "--write-behind", behind][..],
        &common,
    ]
    .concat();
    let ended = compare(&words).well();
    for pattern in ["write-through", "write-behind"] {
        let check = &ended.service(pattern)["check"];
        assert_eq!(check["asked"], "service", "{check}");
        assert_eq!(check["lost"], 0, "{check}");
        assert_eq!(check["stale_reads"], 0, "{check}");
        assert_eq!(check["names"], 100, "{check}");
    }
    // They run on.
    assert_eq!(write_through.client().get("/healthz").status, 200);
    assert_eq!(write_behind.client().get("/healthz").status, 200);

    let swapped = [
        &["--write-through", behind, "--write-behind", through][..],
        &common,
    ]
    .concat();
    let ended = compare(&swapped);
    assert_ne!(ended.code, 0);
    assert!(ended.stderr.contains("write-behind"), "{}", ended.stderr);

    let disturbed = [&words[..], &["--outage"]].concat();
    let ended = compare(&disturbed);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("out of"), "{}", ended.stderr);
}
