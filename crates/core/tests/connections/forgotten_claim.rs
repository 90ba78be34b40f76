//! A claim whose connection a firewall has forgotten.

use std::time::Duration;

use cache_core::store::claim::{Claim, Held, Usage};
use cache_core::store::mysql::MysqlClaim;
use testkit::proxy::ChaosProxy;
use testkit::wait::wait_until;

use crate::site::{Site, secret};

/// How long one look waits for an answer.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
const TOKEN: u64 = 7;

/// The server keeps the locks of the session that it still sees. So the claim would be refused to
/// its own process until the server's timeout.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs servers"]
async fn a_claim_ends_its_own_forgotten_session() {
    for usage in [Usage::Alone, Usage::Together] {
        let site = Site::shared();
        drop(site.open().await);
        wait_until("the store's connections end", || {
            site.connections().is_empty()
        });
        let proxy = ChaosProxy::before(&site.url());
        let url = secret(&proxy.url(&site.url()));
        let mut claim = MysqlClaim::new(url, usage, LOOK_TIMEOUT, TOKEN).unwrap();
        assert_eq!(claim.hold().await.unwrap(), Held::Yes);
        let before = site.connections();
        proxy.forget();
        claim.hold().await.unwrap_err();
        assert_eq!(site.connections(), before, "the server has heard of it");
        assert_eq!(claim.hold().await.unwrap(), Held::Yes, "{usage:?}");
        wait_until("the earlier session ends", || site.connections().len() == 1);
        assert_ne!(site.connections(), before);
        assert_eq!(claim.hold().await.unwrap(), Held::Yes);
    }
}
