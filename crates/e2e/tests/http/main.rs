//! The HTTP contract: what both services promise to their clients, checked on the real binaries over real
//! sockets, on every set of parts.
//!
//! Each check is a function of a [`combination::Turn`], and a test of its own for each combination of
//! service and parts. Most checks of a combination share one process and keep to names of their own; one
//! that restarts the service, breaks its parts or counts has a process for itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

/// Names the checks of a topic, which is the file that this stands in. One that is left out is dead code.
/// The topic becomes a macro that takes the set of parts.
macro_rules! checks {
    ($topic:ident: $($check:ident),+ $(,)?) => {
        macro_rules! $topic {
            (Embedded) => {
                $(
                    #[test]
                    fn $check() {
                        crate::$topic::$check(&super::COMBINATION.turn());
                    }
                )+
            };
            (RedisMariaDb) => {
                $(
                    #[test]
                    #[ignore = "needs servers"]
                    fn $check() {
                        crate::$topic::$check(&super::COMBINATION.turn());
                    }
                )+
            };
        }
    };
}

mod api;
mod combination;
mod problem;
mod prometheus;

#[macro_use]
mod adoption;
#[macro_use]
mod answers;
#[macro_use]
mod arbitrary;
#[macro_use]
mod backlog;
#[macro_use]
mod batch;
#[macro_use]
mod batch_ends;
#[macro_use]
mod batch_outages;
#[macro_use]
mod bodies;
#[macro_use]
mod browsers;
#[macro_use]
mod cache;
#[macro_use]
mod dead_letters;
#[macro_use]
mod caching;
#[macro_use]
mod deletes;
#[macro_use]
mod durability;
#[macro_use]
mod export;
#[macro_use]
mod fields;
#[macro_use]
mod get_many;
#[macro_use]
mod health;
#[macro_use]
mod index;
#[macro_use]
mod journal;
#[macro_use]
mod media_types;
#[macro_use]
mod methods;
#[macro_use]
mod metrics;
#[macro_use]
mod migrations;
#[macro_use]
mod names;
#[macro_use]
mod observed_outages;
#[macro_use]
mod other_programs;
#[macro_use]
mod outages;
#[macro_use]
mod paging;
#[macro_use]
mod paths;
#[macro_use]
mod preconditions;
#[macro_use]
mod problem_types;
#[macro_use]
mod protocol;
#[macro_use]
mod races;
#[macro_use]
mod request_ids;
#[macro_use]
mod restarts;
#[macro_use]
mod scrape;
#[macro_use]
mod sizes;

mod batch_clients;
mod healthcheck;
mod huge_pages;
mod log;
mod mute;
mod settings;
mod slow_clients;
mod stops;
mod streams;
mod together;

use testkit::parts::Parts;
use testkit::service::Service;

/// Topics that one of the services has for itself.
macro_rules! topics_of_service {
    (WriteThrough, $parts:ident) => {};
    (WriteBehind, $parts:ident) => {
        mod dead_letters {
            dead_letters!($parts);
        }
        mod journal {
            journal!($parts);
        }
    };
}

/// Topics that only some sets of parts have.
macro_rules! topics_of_parts {
    (Embedded) => {};
    (RedisMariaDb) => {
        mod batch_outages {
            batch_outages!(RedisMariaDb);
        }
        mod other_programs {
            other_programs!(RedisMariaDb);
        }
        mod outages {
            outages!(RedisMariaDb);
        }
        mod observed_outages {
            observed_outages!(RedisMariaDb);
        }
    };
}

/// Topics of one service on one set of parts.
macro_rules! topics_of_both {
    (WriteBehind, RedisMariaDb) => {
        mod backlog {
            backlog!(RedisMariaDb);
        }
    };
    ($service:ident, $parts:ident) => {};
}

macro_rules! combinations {
    ($($module:ident: $service:ident, $parts:ident;)+) => {
        $(
            mod $module {
                use crate::combination::Combination;
                use testkit::parts::Parts;
                use testkit::service::Service;

                pub(crate) static COMBINATION: Combination =
                    Combination::new(Service::$service, Parts::$parts);

                mod adoption { adoption!($parts); }
                mod answers { answers!($parts); }
                mod arbitrary { arbitrary!($parts); }
                mod batch { batch!($parts); }
                mod batch_ends { batch_ends!($parts); }
                mod bodies { bodies!($parts); }
                mod browsers { browsers!($parts); }
                mod cache { cache!($parts); }
                mod caching { caching!($parts); }
                mod deletes { deletes!($parts); }
                mod durability { durability!($parts); }
                mod export { export!($parts); }
                mod fields { fields!($parts); }
                mod get_many { get_many!($parts); }
                mod health { health!($parts); }
                mod index { index!($parts); }
                mod media_types { media_types!($parts); }
                mod methods { methods!($parts); }
                mod metrics { metrics!($parts); }
                mod migrations { migrations!($parts); }
                mod names { names!($parts); }
                mod paging { paging!($parts); }
                mod paths { paths!($parts); }
                mod preconditions { preconditions!($parts); }
                mod problem_types { problem_types!($parts); }
                mod protocol { protocol!($parts); }
                mod races { races!($parts); }
                mod request_ids { request_ids!($parts); }
                mod restarts { restarts!($parts); }
                mod scrape { scrape!($parts); }
                mod sizes { sizes!($parts); }

                topics_of_service!($service, $parts);
                topics_of_parts!($parts);
                topics_of_both!($service, $parts);
            }
        )+

        const COMBINATIONS: &[(Service, Parts)] = &[$((Service::$service, Parts::$parts)),+];
    };
}

combinations! {
    write_behind_on_embedded_parts: WriteBehind, Embedded;
    write_behind_on_redis_and_mariadb: WriteBehind, RedisMariaDb;
    write_through_on_embedded_parts: WriteThrough, Embedded;
    write_through_on_redis_and_mariadb: WriteThrough, RedisMariaDb;
}

#[test]
fn every_service_is_checked_on_every_set_of_parts() {
    for service in Service::all() {
        for parts in Parts::all() {
            assert!(
                COMBINATIONS.contains(&(service, parts)),
                "{service:?} on {parts:?}"
            );
        }
    }
}
