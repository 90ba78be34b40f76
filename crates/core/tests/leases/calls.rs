//! What processes say to each other.

use cache_core::journal::Journal;
use cache_core::lease::{LeaseCall, Leases};
use cache_core::model::version::Version;
use testkit::own_servers::{AppendFsync, OwnServer};
use testkit::servers::redis_url;

use crate::drainer::{Drainer, LASTING, SHARDS, assert_they_share, every_shard, new_identity};
use crate::redis_process::{command, names_in_one_shard};
use crate::suite::{appended, put};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_holder_is_called_when_another_appends_to_its_empty_shard() {
    let identity = new_identity();
    let holder = Drainer::start(&identity, "holder", LASTING).await;
    let writer = Drainer::start(&identity, "writer", LASTING).await;
    holder.journal.raise(&Version::ZERO).await.unwrap();
    holder.renew().await;
    holder.listen().await;
    let (shard, names) = names_in_one_shard(&holder.journal, 2);
    let append = async |drainer: &Drainer, name: &str| {
        let answers = drainer.journal.append(&[put(name, "x")]).await;
        appended(answers).unwrap();
    };
    append(&writer, &names[0]).await;
    assert_eq!(holder.called().await, LeaseCall::Entries(shard));
    // Not about what it knows already: there is something in it.
    append(&writer, &names[1]).await;
    append(&writer, &names[0]).await;
    holder.has_heard_everything(&redis_url(), &identity).await;
    // Emptied, it is called again; by what it appends itself it is not.
    let empty = async || {
        let acknowledged = holder.journal.acknowledge(shard, Version::MAX, &[]);
        acknowledged.await.err()
    };
    assert!(empty().await.is_none());
    append(&holder, &names[0]).await;
    holder.has_heard_everything(&redis_url(), &identity).await;
    assert!(empty().await.is_none());
    append(&writer, &names[0]).await;
    assert_eq!(holder.called().await, LeaseCall::Entries(shard));
    // A batch of which nothing is appended says nothing.
    assert!(empty().await.is_none());
    let unknown = cache_core::model::record::Write::delete(crate::suite::key("absent"));
    appended(writer.journal.append(&[unknown]).await).unwrap();
    holder.has_heard_everything(&redis_url(), &identity).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn the_others_are_called_when_one_comes_and_when_one_goes() {
    let identity = new_identity();
    let one = Drainer::start(&identity, "one", LASTING).await;
    let two = Drainer::start(&identity, "two", LASTING).await;
    one.renew().await;
    one.listen().await;
    one.renew().await;
    one.has_heard_everything(&redis_url(), &identity).await;
    two.renew().await;
    assert_eq!(one.called().await, LeaseCall::Leases);
    one.renew().await;
    two.renew().await;
    two.listen().await;
    one.leases.release().await.unwrap();
    two.hears(LeaseCall::Leases).await;
    two.renew().await;
    assert_eq!(two.held(), every_shard(), "handed over at once");
}

/// Or the one that has come would drain nothing until it happens to renew.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_process_that_releases_shards_calls_their_next_holders() {
    let identity = new_identity();
    let one = Drainer::start(&identity, "host-1:1001:1f", LASTING).await;
    let two = Drainer::start(&identity, "host-2:1002:2f", LASTING).await;
    one.renew().await;
    two.renew().await;
    two.listen().await;
    one.renew().await;
    assert_eq!(two.called().await, LeaseCall::Leases);
    two.renew().await;
    assert_they_share(&[&one, &two]).await;
    // And then there is nothing more to say.
    one.renew().await;
    two.renew().await;
    two.has_heard_everything(&redis_url(), &identity).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn what_is_not_understood_is_about_everything() {
    let identity = new_identity();
    let one = Drainer::start(&identity, "one", LASTING).await;
    one.listen().await;
    let channel = format!("wc:{{{identity}}}:wake");
    let strange: [&[u8]; 4] = [b"", b"what", b"\xff", b"70000"];
    for said in strange {
        let words: [&[u8]; 3] = [b"PUBLISH", channel.as_bytes(), said];
        command::<(), _>(&redis_url(), &words).await;
        assert_eq!(one.called().await, LeaseCall::Everything, "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn whose_listening_was_cut_off_is_told_so_and_listens_again() {
    let mut server = OwnServer::redis_with(AppendFsync::BySystem, &[]);
    let identity = new_identity();
    let one = Drainer::start_at(server.url(), &identity, "one", LASTING).await;
    one.journal.raise(&Version::ZERO).await.unwrap();
    one.listen().await;
    for round in 0..3 {
        if round < 2 {
            let words = ["CLIENT", "KILL", "TYPE", "pubsub"];
            let killed: u32 = command(server.url(), &words).await;
            assert_eq!(killed, 1);
        } else {
            server.crash_and_restart();
        }
        // It was cut off, and it listens again: each may have missed something.
        assert_eq!(one.called().await, LeaseCall::Everything);
        assert_eq!(one.called().await, LeaseCall::Everything);
        one.has_heard_everything(server.url(), &identity).await;
    }
}

/// The keeper stops listening at each renewal, and goes on afterwards.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_waiter_that_pauses_misses_nothing() {
    let identity = new_identity();
    let one = Drainer::start(&identity, "one", LASTING).await;
    one.listen().await;
    let channel = format!("wc:{{{identity}}}:wake");
    for shard in 0..SHARDS {
        let waits = one.leases.called();
        let gave_up = tokio::time::timeout(std::time::Duration::from_millis(1), waits).await;
        assert!(gave_up.is_err(), "{gave_up:?}");
        let words = ["PUBLISH", &channel, &shard.to_string()];
        command::<(), _>(&redis_url(), &words).await;
        assert_eq!(
            one.called().await,
            LeaseCall::Entries(cache_core::model::shard::Shard(shard))
        );
    }
}
