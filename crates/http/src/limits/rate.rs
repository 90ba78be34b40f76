//! How many requests a second a client may send: that of a token by its name, and any other by its address.
//!
//! A sender is one of [`SENDERS_MAX`] numbers, by a hash whose key is random. So memory is bounded however many addresses
//! there are, and two senders share a number, and their rate, only by a chance that none of them can choose.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::problem::{Kind, Problem, RETRY_S_MIN};

/// How many senders are told apart.
const SENDERS_MAX: u64 = 1 << 16;
/// The bits of an address of version 6 that one site has.
const SITE_PREFIX_BITS: u32 = 64;

/// The rate of each sender. Clones share it.
#[derive(Clone)]
pub(crate) struct Rate(Arc<Shared>);

struct Shared {
    limiter: DefaultKeyedRateLimiter<u64>,
    hash: RandomState,
    clock: DefaultClock,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sender<'a> {
    /// The holder of a token.
    Client(&'a str),
    /// Any other.
    Address(Option<IpAddr>),
}

impl Sender<'_> {
    /// The sender at this address. One site may use any of the addresses of its prefix.
    pub(crate) fn at(address: Option<IpAddr>) -> Sender<'static> {
        Sender::Address(address.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let site = u128::from(address) & (u128::MAX << (u128::BITS - SITE_PREFIX_BITS));
                Ipv6Addr::from(site).into()
            }
        }))
    }
}

impl std::fmt::Debug for Rate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Rate({} senders)", self.0.limiter.len())
    }
}

impl Rate {
    /// So many requests a second, and up to `burst` at once, or as many if that is 0. `None` where 0 a second are
    /// asked for, which is no limit.
    pub(crate) fn per_second(rate: u32, burst: u32) -> Option<Rate> {
        let rate = NonZeroU32::new(rate)?;
        let burst = NonZeroU32::new(burst).unwrap_or(rate);
        let quota = Quota::per_second(rate).allow_burst(burst);
        Some(Rate(Arc::new(Shared {
            limiter: RateLimiter::hashmap(quota),
            hash: RandomState::new(),
            clock: DefaultClock::default(),
        })))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// `429` for one that is too many.
    pub(crate) fn count(&self, sender: Sender<'_>) -> Result<(), Problem> {
        let number = self.0.hash.hash_one(sender) % SENDERS_MAX;
        self.0.limiter.check_key(&number).map_err(|refused| {
            let wait = refused.wait_time_from(self.0.clock.now());
            let rounded_up = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let detail = match sender {
                Sender::Client(_) => "this client sends more requests than RATE_LIMIT_PER_S allows",
                Sender::Address(_) => {
                    "this address sends more requests than RATE_LIMIT_PER_S allows"
                }
            };
            Problem::passing(Kind::RateLimited, detail, rounded_up.max(RETRY_S_MIN))
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;

    use super::*;

    #[test]
    fn each_sender_has_a_burst_of_its_own() {
        // One in about a day, so that none is added meanwhile.
        let rate = Rate(Arc::new(Shared {
            limiter: RateLimiter::hashmap(
                Quota::with_period(std::time::Duration::from_secs(100_000))
                    .unwrap()
                    .allow_burst(NonZeroU32::new(3).unwrap()),
            ),
            hash: RandomState::new(),
            clock: DefaultClock::default(),
        }));
        let taken = |sender| (0..5).filter(|_| rate.count(sender).is_ok()).count();
        let at = |text: &str| Sender::at(Some(text.parse().unwrap()));
        assert_eq!(taken(Sender::Client("a")), 3);
        assert_eq!(taken(at("10.0.0.1")), 3);
        assert_eq!(taken(at("::ffff:10.0.0.1")), 0);
        assert_eq!(taken(at("2001:db8:1:2::1")), 3);
        assert_eq!(taken(at("2001:db8:1:2:3::1")), 0);
        let refused = rate.count(at("10.0.0.1")).unwrap_err().error_response();
        assert_eq!(refused.status(), 429);
        let retry_after = refused.headers().get("Retry-After").unwrap();
        let retry_after: u64 = retry_after.to_str().unwrap().parse().unwrap();
        assert!((99_000..=100_000).contains(&retry_after), "{retry_after}");
    }

    #[test]
    fn memory_is_bounded_however_many_addresses_there_are() {
        let rate = Rate::per_second(1, 0).unwrap();
        for number in 0..200_000_u32 {
            let _ = rate.count(Sender::at(Some(IpAddr::from(number.to_be_bytes()))));
        }
        assert!(rate.0.limiter.len() <= SENDERS_MAX as usize);
        assert!(Rate::per_second(0, 7).is_none());
    }
}
