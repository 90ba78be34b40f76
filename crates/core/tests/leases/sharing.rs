//! Which process holds which shard while processes come and go.

use std::time::{Duration, Instant};

use cache_core::lease::{Leases, Sole};
use testkit::own_servers::{AppendFsync, OwnServer};

use crate::drainer::{Drainer, LASTING, SHARDS, assert_they_share, every_shard, new_identity};
use crate::redis_process::{command, name_of};
use crate::suite::{eventually, new_identity_with};
use cache_core::model::shard::Shard;

const SHORT: Duration = Duration::from_millis(600);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_only_process_gets_every_shard() {
    let identity = new_identity();
    let one = Drainer::start(&identity, "one", LASTING).await;
    assert!(one.held().is_empty(), "before it asks");
    let holders = one.leases.holders().await.unwrap();
    assert!(holders.iter().all(Option::is_none));
    for _ in 0..3 {
        one.renew().await;
        assert_eq!(one.held(), every_shard());
        assert_they_share(&[&one]).await;
    }
    assert_eq!(one.leases.lifetime(), Some(LASTING));
    // Those of another database are others.
    let other = Drainer::start(&new_identity(), "other", LASTING).await;
    other.renew().await;
    assert_eq!(other.held(), every_shard());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn those_that_come_get_a_share_and_those_that_go_leave_theirs() {
    let identity = new_identity();
    let one = Drainer::start(&identity, "host-1:1001:1f", LASTING).await;
    let two = Drainer::start(&identity, "host-2:1002:2f", LASTING).await;
    let three = Drainer::start(&identity, "host-3:1003:3f", LASTING).await;
    one.renew().await;
    two.renew().await;
    assert!(two.held().is_empty(), "nothing is taken from who holds it");
    assert_eq!(one.held(), every_shard());
    one.renew().await;
    two.renew().await;
    assert_they_share(&[&one, &two]).await;
    for held in [one.held(), two.held()] {
        assert!((4..=12).contains(&held.len()), "{held:?}");
    }
    // No shard moves while no process comes or goes.
    let before = (one.held(), two.held());
    for _ in 0..3 {
        two.renew().await;
        one.renew().await;
        assert_eq!((one.held(), two.held()), before);
    }

    three.renew().await;
    one.renew().await;
    two.renew().await;
    three.renew().await;
    assert_they_share(&[&one, &two, &three]).await;
    assert!(three.held().len() >= 2, "{:?}", three.held());
    let only_gave = |before: &[u16], after: Vec<u16>| after.iter().all(|now| before.contains(now));
    assert!(only_gave(&before.0, one.held()) && only_gave(&before.1, two.held()));

    // At once, and not at the end of a lease.
    three.leases.release().await.unwrap();
    assert!(three.held().is_empty());
    assert!(three.held_by_the_server().await.is_empty());
    one.renew().await;
    two.renew().await;
    assert_they_share(&[&one, &two]).await;
    assert_eq!((one.held(), two.held()), before);
    one.leases.release().await.unwrap();
    two.renew().await;
    assert_eq!(two.held(), every_shard());
}

/// It holds no shard while another process can drain, and keeps its shards if none can.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_process_that_cannot_drain_leaves_all_to_the_others() {
    let identity = new_identity();
    let one = Drainer::start(&identity, "host-1:1001:1f", LASTING).await;
    let two = Drainer::start(&identity, "host-2:1002:2f", LASTING).await;
    for _ in 0..2 {
        one.leases.stand_back().await.unwrap();
        assert_eq!(one.held(), every_shard(), "there is no other");
    }
    for _ in 0..2 {
        two.renew().await;
        one.renew().await;
    }
    two.renew().await;
    assert_they_share(&[&one, &two]).await;
    for _ in 0..3 {
        one.leases.stand_back().await.unwrap();
        assert!(one.held().is_empty());
        two.renew().await;
        assert_eq!(two.held(), every_shard());
    }
    // The other process cannot drain now either, so there is none to leave them to.
    for _ in 0..3 {
        two.leases.stand_back().await.unwrap();
        one.leases.stand_back().await.unwrap();
        assert_eq!((one.held(), two.held()), (vec![], every_shard()));
    }
    one.renew().await;
    two.leases.stand_back().await.unwrap();
    one.renew().await;
    assert_eq!((one.held(), two.held()), (every_shard(), vec![]));
}

/// The usual number on a standalone Redis. The other process stands by.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_single_shard_is_handed_over() {
    let identity = new_identity_with(1);
    let one = Drainer::start(&identity, "one", LASTING).await;
    let two = Drainer::start(&identity, "two", LASTING).await;
    let held = || {
        let holds = |drainer: &Drainer| drainer.leases.held().holds(Shard(0));
        (holds(&one), holds(&two))
    };
    for _ in 0..2 {
        one.renew().await;
        two.renew().await;
    }
    let before = held();
    assert!(before.0 != before.1, "{before:?}");
    let (leaves, stays) = if before.0 { (&one, &two) } else { (&two, &one) };
    leaves.leases.release().await.unwrap();
    stays.renew().await;
    assert_eq!(held(), (before.1, before.0));
    assert_eq!(stays.leases.holders().await.unwrap().len(), 1);
}

/// In whatever order they ask, no process believes that it holds a shard of another
/// one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn no_shard_is_held_twice() {
    let identity = new_identity();
    let mut drainers = Vec::new();
    for number in 0..4 {
        let name = format!("host-{number}:{number}:{number}");
        drainers.push(Drainer::start(&identity, &name, LASTING).await);
    }
    for _ in 0..60 {
        let drainer = &drainers[fastrand::usize(..drainers.len())];
        if fastrand::u8(..4) == 0 {
            drainer.leases.release().await.unwrap();
        } else {
            drainer.renew().await;
        }
        let mut all: Vec<u16> = drainers.iter().flat_map(Drainer::held).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
    for _ in 0..3 {
        for drainer in &drainers {
            drainer.renew().await;
        }
    }
    assert_they_share(&drainers.iter().collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn shards_that_are_not_renewed_go_to_other_processes() {
    let identity = new_identity();
    let silent = Drainer::start(&identity, "host-1:1001:1f", SHORT).await;
    let alive = Drainer::start(&identity, "host-2:1002:2f", SHORT).await;
    for _ in 0..2 {
        silent.renew().await;
        alive.renew().await;
    }
    let last = Instant::now();
    assert_they_share(&[&silent, &alive]).await;
    assert!(!silent.held().is_empty());
    eventually("the other one has them all", async || {
        alive.renew().await;
        // Asked later, so what it still holds it held then.
        let alive_holds = alive.held();
        let silent_holds = silent.held();
        assert!(!alive_holds.iter().any(|shard| silent_holds.contains(shard)));
        alive_holds == every_shard()
    })
    .await;
    let took = last.elapsed();
    assert!(took < SHORT + Duration::from_secs(2), "{took:?}");
    assert!(silent.held().is_empty());
    // And gets its share again when it comes back.
    for _ in 0..2 {
        silent.renew().await;
        alive.renew().await;
    }
    silent.renew().await;
    assert_they_share(&[&silent, &alive]).await;
}

/// While the server does not answer, what is held ends by itself, and not later
/// than there.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_is_held_ends_by_itself_no_later_than_on_the_server() {
    let identity = new_identity();
    let one = Drainer::start(&identity, "one", SHORT).await;
    let url = testkit::servers::redis_url();
    for _ in 0..3 {
        let asked = Instant::now();
        one.renew().await;
        let took = asked.elapsed();
        for shard in 0..SHARDS {
            let lease = name_of(&identity, Shard(shard), "lease");
            let left: i64 = command(&url, &["PTTL", &lease]).await;
            assert!(left <= SHORT.as_millis() as i64, "{left}");
        }
        eventually("none is held here", async || one.held().is_empty()).await;
        // The clocks here and there count whole milliseconds.
        let rounding = Duration::from_millis(2);
        assert!(asked.elapsed() + rounding >= SHORT, "not before its time");
        // The server may have begun later by as much as it took to ask it.
        let left: i64 = command(&url, &["PTTL", &name_of(&identity, Shard(0), "lease")]).await;
        assert!(left <= (took + rounding).as_millis() as i64, "{left}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_lease_that_was_taken_meanwhile_is_not_believed_any_more() {
    let identity = new_identity();
    let one = Drainer::start(&identity, "one", LASTING).await;
    one.renew().await;
    let lease = name_of(&identity, Shard(5), "lease");
    let url = testkit::servers::redis_url();
    command::<(), _>(&url, &["SET", &lease, "another"]).await;
    one.renew().await;
    assert!(!one.held().contains(&5));
    assert_eq!(one.held().len(), usize::from(SHARDS) - 1);
    let holders = one.leases.holders().await.unwrap();
    assert_eq!(holders[5].as_deref(), Some("another"));
    // It is not its own to give back.
    one.leases.release().await.unwrap();
    let holders = one.leases.holders().await.unwrap();
    assert_eq!(holders[5].as_deref(), Some("another"));
    assert_eq!(holders.iter().flatten().count(), 1);
}

/// The leases are gone with the server's data; nothing of them hangs about.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn after_a_crash_of_the_server_they_share_again() {
    let mut server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let identity = new_identity();
    let one = Drainer::start_at(server.url(), &identity, "one", SHORT).await;
    let two = Drainer::start_at(server.url(), &identity, "two", SHORT).await;
    for _ in 0..2 {
        one.renew().await;
        two.renew().await;
    }
    let empty = tempfile::tempdir().unwrap();
    server.kill_9();
    assert!(one.leases.renew().await.is_err());
    eventually("none is held", async || {
        one.held().is_empty() && two.held().is_empty()
    })
    .await;
    server.replace_data(empty.path());
    server.restart();
    eventually("they are held again", async || {
        let renewed = one.leases.renew().await.is_ok() && two.leases.renew().await.is_ok();
        let (one, two) = (one.held().len(), two.held().len());
        renewed && one > 0 && two > 0 && one + two == usize::from(SHARDS)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_process_of_a_journal_holds_all_of_it_for_ever() {
    let sole = Sole::new(3);
    sole.renew().await.unwrap();
    sole.release().await.unwrap();
    assert_eq!(sole.lifetime(), None);
    assert!((0..3).all(|shard| sole.held().holds(Shard(shard))));
    assert!(!sole.held().holds(Shard(3)));
    assert_eq!(sole.holders().await.unwrap().len(), 3);
}
