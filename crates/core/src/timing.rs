//! Every duration that is not a setting, with its reason.
//!
//! A name ends with what the duration is, before `_MIN` or `_MAX`:
//!
//! - `_TIMEOUT`: something is given up after it, or counts as decided;
//! - `_INTERVAL`: something is done once in it;
//! - `_BACKOFF`: how long a retry waits;
//! - `_LIFETIME`: how long something is valid.
//!
//! The architecture test refuses a constant `Duration` elsewhere in this crate, but in tests.

use std::time::Duration;

// The cache

/// How long a name is read from the database after a write whose outcome is unknown. Far longer than
/// a statement waits for its locks there: one that is still running when its names' doubt ends could
/// commit unseen.
pub const IN_DOUBT_LIFETIME: Duration = Duration::from_secs(600);
/// How long a reader that died keeps others from filling a key. One that takes
/// longer to load a row does not fill it.
pub const FILL_LIFETIME: Duration = Duration::from_secs(3);
/// How long a reader that can do without Redis waits for it.
pub const CACHE_READ_TIMEOUT: Duration = Duration::from_millis(250);
/// The pause between two round trips that forget everything clean: other commands come in between.
pub const SWEEP_INTERVAL: Duration = Duration::from_millis(10);
/// How long other readers do not ask a cache that did not answer one.
pub const CIRCUIT_BREAKER_BACKOFF: Duration = Duration::from_millis(500);

// Write-through

/// For how long a batch is retried if some of its writes certainly did not take place: the
/// cache is being bypassed or used again, or other writes of the same names come in between.
pub const BATCH_RETRY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a batch waits at most until there are fewer in the database. It is a small part of
/// the lifetime of its marks of doubt, since a commit after that would go unseen.
pub const BATCH_TURN_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a name counts as locked after it was last seen to be. A write that waits for
/// it looks far more often; a caller that disconnects may leave none.
pub const LOCKED_NAME_LIFETIME: Duration = Duration::from_secs(2);
/// The interval at which locked rows are looked at. One statement looks at all of them and
/// waits for none.
pub const LOCKED_ROWS_INTERVAL: Duration = Duration::from_millis(50);
/// How long a batch is split by trial, where the database does not show its locks. Each
/// trial that meets one takes about a second.
pub const LOCK_SEARCH_TIMEOUT: Duration = Duration::from_secs(3);

// Write-behind

/// How much longer a conditional write waits after each try that the cache could not judge, up to a most: a
/// write in flight of the same key through another service, or a reader that died while it filled the key, may
/// be why. All of it is as long as such a reader's ticket lasts.
pub const CONDITION_BACKOFF: Duration = Duration::from_millis(10);
/// The most that it waits after one try.
pub const CONDITION_BACKOFF_MAX: Duration = Duration::from_millis(250);
/// How long after the deadline of a stop the journal may be asked what is left.
pub const STOP_REPORT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the metrics wait for the journal's figures.
pub const JOURNAL_FIGURES_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the journal is asked while something waits in it.
pub const BACKLOG_INTERVAL: Duration = Duration::from_millis(250);
/// Over how long the drain rate is averaged.
pub const DRAIN_RATE_INTERVAL: Duration = Duration::from_secs(2);
/// When a client that was refused is told to come back, at the earliest.
pub const RETRY_AFTER_BACKOFF_MIN: Duration = Duration::from_secs(1);
/// The same while nothing is drained, and at the latest.
pub const RETRY_AFTER_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// The age of the oldest entry from which on a warning is logged, and how often.
pub const BACKLOG_WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// How often the journal is asked about shards that another process drains. All waiting
/// callers share one question.
pub const PERSISTED_INTERVAL: Duration = Duration::from_millis(20);
/// How often a flush looks whether something is held back still.
pub const FLUSH_HELD_BACK_INTERVAL: Duration = Duration::from_millis(50);

// The drain

/// The first wait after a failed drain; it doubles.
pub const DRAIN_BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest one. A recovery that is noticed ends it early.
pub const DRAIN_BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long after a row was found locked it is looked at again. One statement looks at
/// all of them and waits for none.
pub const DRAIN_LOCKED_ROWS_INTERVAL: Duration = Duration::from_millis(100);
/// The pause between two looks at what is held back, which doubles while nothing gets on.
pub const HELD_BACK_BACKOFF_MIN: Duration = Duration::from_secs(1);
/// The longest of these pauses.
pub const HELD_BACK_BACKOFF_MAX: Duration = Duration::from_secs(15);
/// How soon after a renewal that failed a recovery leads to another one.
pub const LEASE_RENEWAL_BACKOFF: Duration = Duration::from_secs(1);
/// How long after the deadline of a stop the leases may still be given back.
pub const LEASE_RELEASE_TIMEOUT: Duration = Duration::from_millis(250);
/// How long a process waits before it subscribes to the leases again when that failed.
pub const LEASE_LISTEN_BACKOFF: Duration = Duration::from_secs(1);
/// How long a subscription to the leases may take. The driver has no limit for that.
pub const LEASE_LISTEN_TIMEOUT: Duration = Duration::from_secs(10);

// Purging tombstones

/// How long others have the database to themselves after a step.
pub const PURGE_STEP_INTERVAL: Duration = Duration::from_millis(100);
/// The shortest interval of looks for tombstones. It is a part of their retention, within bounds.
pub const PURGE_INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The longest interval of looks for tombstones.
pub const PURGE_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// The longest back-off after failures to purge.
pub const PURGE_BACKOFF_MAX: Duration = Duration::from_secs(600);

// The journal

/// How long the note of what was acknowledged last may stay in the page cache alone.
pub const SYNCED_NOTE_INTERVAL: Duration = Duration::from_millis(500);
/// The interval of looks at the files of the journal, and of probes after a failed append.
pub const FILE_JOURNAL_INTERVAL: Duration = Duration::from_secs(1);
/// How old the last look at the server may be when something is appended.
pub const REDIS_JOURNAL_LOOK_LIFETIME: Duration = Duration::from_secs(2);
/// How long a process waits before it looks again, and how much longer while nothing is appended or wrong: what
/// was appended may wait, and be evicted, all the same.
pub const REDIS_JOURNAL_INTERVAL: Duration = Duration::from_secs(1);
/// How much longer it waits meanwhile.
pub const REDIS_JOURNAL_IDLE_INTERVAL: Duration = Duration::from_secs(1);

// Redis

/// How long an idle connection is trusted. After that it is asked whether it is still there.
pub const REDIS_TRUSTED_IDLE_LIFETIME: Duration = Duration::from_secs(2);
/// How long that answer may take. Another connection is opened after it, so a
/// server that is only slow costs no caller an error.
pub const REDIS_PING_TIMEOUT: Duration = Duration::from_millis(300);
/// How long a server may take to answer a command that needs no login.
pub const REDIS_PLAIN_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// After how long without a word the system asks whether the other end is still there. With its further
/// questions that is less than the shortest time after which firewalls and load balancers forget a connection (AWS: 350 s).
pub const TCP_KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the system asks again.
pub const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How often the role of a replica is read again.
pub const REPLICA_ROLE_INTERVAL: Duration = Duration::from_millis(200);
/// How often the server's clock is read, which must not go back.
pub const REDIS_CLOCK_INTERVAL: Duration = Duration::from_secs(1);
/// How often the eviction policy is read.
pub const EVICTION_POLICY_INTERVAL: Duration = Duration::from_secs(1);
/// How long a service that can do without Redis waits for it at its start.
pub const REDIS_START_TIMEOUT: Duration = Duration::from_secs(2);

// Sentinels

/// How often the Sentinels are asked whether the primary is still the same.
pub const SENTINEL_WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// How long the other Sentinels may take once a majority has answered.
pub const SENTINEL_MINORITY_TIMEOUT: Duration = Duration::from_millis(100);
/// How long an answer of the Sentinels that a replica is down counts. After that it may have been promoted.
pub const REPLICAS_KNOWN_LIFETIME: Duration = Duration::from_millis(1500);
/// How long the replicas may take to confirm a registration. It is noted within the time of [`REDIS_NOTE_TIMEOUT`].
pub const REPLICAS_CONFIRM_TIMEOUT: Duration = Duration::from_secs(1);
/// How often it is looked which replicas have confirmed it.
pub const REPLICAS_CONFIRM_INTERVAL: Duration = Duration::from_millis(50);

// Registrations: which process uses which Redis for which database

/// How often a registration is renewed.
pub const REGISTRATION_INTERVAL: Duration = Duration::from_secs(2);
/// How long a process that stopped renewing its registration counts as alive.
pub const REGISTRATION_LIFETIME: Duration = Duration::from_secs(6);
/// How long a process relies on its registration, counted from before it asked for it. That is
/// less than the registration's lifetime, so that a command sent at the last moment has time.
pub const REGISTRATION_TRUST_LIFETIME: Duration = Duration::from_secs(4);
/// How long a process that relies on its registration may take to note its Redis. A renewal waits for it.
pub const REDIS_NOTE_TIMEOUT: Duration = Duration::from_millis(1500);
/// How often the database is asked for its token and place.
pub const DATABASE_TOKEN_INTERVAL: Duration = Duration::from_secs(1);
/// How often a start looks again while processes serve another place.
pub const OTHER_PLACE_INTERVAL: Duration = Duration::from_millis(200);
/// For how long a refusal to register holds before Redis is asked again.
pub const REGISTRATION_REFUSAL_LIFETIME: Duration = Duration::from_millis(500);
/// How long a process that stops tries to end its registration.
pub const REGISTRATION_END_TIMEOUT: Duration = Duration::from_millis(500);
/// How long processes have to register at a restarted server.
pub const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a command looks again for live processes.
pub const LIVE_PROCESSES_INTERVAL: Duration = Duration::from_millis(200);

// The claim: the lock by which processes on one database find each other

/// How often a process checks that it still holds the claim.
pub const CLAIM_INTERVAL: Duration = Duration::from_secs(1);
/// How long a start waits for the claim of another process, which may be about to end.
pub const CLAIM_START_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it looks meanwhile.
pub const CLAIM_START_INTERVAL: Duration = Duration::from_millis(200);
/// How long after the deadline a claim may still be refused for its own reason.
pub const CLAIM_REFUSAL_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a start waits where the lock file is new: twice the time in which a process notices that its lock
/// file was removed.
pub const CLAIM_LOSS_TIMEOUT: Duration = Duration::from_secs(2);

// The bypass

/// How long a write waits at most for the cache to be bypassed, or used again.
pub const EPOCH_CHANGE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a process that begins to rely on the cache checks whether all others
/// know of it.
pub const RELIANCE_INTERVAL: Duration = Duration::from_millis(50);
/// How often the database is asked whether the others have stopped trusting the
/// cache.
pub const EPOCH_CLOSING_INTERVAL: Duration = Duration::from_millis(10);
/// How long the cache is bypassed the first time. The time doubles while the cache fails again soon.
pub const BYPASS_BACKOFF_MIN: Duration = Duration::from_millis(500);
/// How long it is bypassed at most.
pub const BYPASS_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// How long the cache must have been used until the next bypass begins at the minimum again.
pub const BYPASS_BACKOFF_LIFETIME: Duration = Duration::from_secs(30);

// Outages and probes

/// How long a part is left alone that answers.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// How long between two probes of one that does not.
pub const FAILING_PROBE_INTERVAL: Duration = Duration::from_millis(250);
/// How long a probe waits.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// A probe that takes longer to fail than this is one of a part that leaves its callers waiting.
pub const SLOW_PROBE_TIMEOUT: Duration = Duration::from_millis(250);
/// How long a look at the health waits for probes at most.
pub const PROBED_HEALTH_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a part has to fail until a probe that fails too makes it unavailable. One failed call, and a
/// connection that is replaced at once, are no outage.
pub const OUTAGE_TIMEOUT: Duration = Duration::from_secs(1);
/// Over how long a time some calls have to fail, and none succeed, to be an outage although the probes succeed.
pub const FAILED_CALLS_TIMEOUT: Duration = Duration::from_secs(3);
/// For how long no call has to fail until such an outage is over although none has succeeded either.
pub const FAILED_CALLS_LIFETIME: Duration = Duration::from_secs(10);
/// How long a pause lasts at least after one that ended early. A part may answer its probe and fail
/// every other call, and its recovery is announced again and again then.
pub const EARLY_END_BACKOFF_MIN: Duration = Duration::from_secs(1);

// The database

/// How long opening the database waits while another process changes the tables.
pub const MYSQL_OPEN_TIMEOUT: Duration = Duration::from_secs(60);
/// How long one replica waits at most for another that is running the migrations.
pub const MIGRATION_LOCK_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest time without a line in the log while the tables are changed.
pub const MIGRATION_LOG_INTERVAL: Duration = Duration::from_secs(2);
/// How often the server is asked how far it is with a change of a table.
pub const ADOPTION_PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// The longest pause before a transaction that met a deadlock is retried.
pub const DEADLOCK_BACKOFF_MAX: Duration = Duration::from_millis(10);
/// The timeout of a readiness check, shorter than a statement's.
pub const MYSQL_HEALTH_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection that was idle for longer is asked whether it still answers: a server, a
/// balancer or a firewall may have ended it.
pub const MYSQL_TRUSTED_IDLE_LIFETIME: Duration = Duration::from_secs(5);
/// How long that answer may take.
pub const MYSQL_PING_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a server may count a connection that this process has closed.
pub const MYSQL_CLOSING_TIMEOUT: Duration = Duration::from_secs(1);
/// How often it is asked meanwhile.
pub const MYSQL_CLOSING_INTERVAL: Duration = Duration::from_millis(50);
/// How long after the server has refused a connection the next one is asked for.
pub const MYSQL_POOL_GROWTH_INTERVAL: Duration = Duration::from_secs(3);
/// How long a broken row that was logged is not logged again.
pub const BROKEN_ROW_LOG_INTERVAL: Duration = Duration::from_secs(600);

// The process

/// The pause between two attempts to start on parts that are unavailable, which doubles.
pub const STARTUP_BACKOFF_MIN: Duration = Duration::from_millis(100);
/// The longest of these pauses.
pub const STARTUP_BACKOFF_MAX: Duration = Duration::from_secs(1);
/// How long before the deadline the last attempt begins, so that it has time to fail for its reason.
pub const LAST_STARTUP_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(250);
/// How long one call of the subcommand `inspect` may take.
pub const INSPECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often samples are put into their buckets: as long as this each of them takes
/// 16 bytes. When there are none, it costs as much as a few requests.
pub const METRICS_UPKEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long the log says nothing more of the same.
pub const REPEATED_LOG_INTERVAL: Duration = Duration::from_secs(30);
/// How long to wait when standard error does not block and is full, as a shared terminal may be.
pub const LOG_RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// How long the end of the process waits for a reader of the log.
pub const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the end of the process waits until the collector has the last spans.
pub const TRACE_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long an export may take.
pub const TRACE_EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

// Files

/// How often the files of tokens, certificates and keys are looked at.
pub const FILE_LOOK_INTERVAL: Duration = Duration::from_secs(1);

const fn below(shorter: Duration, longer: Duration) -> bool {
    shorter.as_micros() < longer.as_micros()
}

const fn at_most(shorter: Duration, longer: Duration) -> bool {
    shorter.as_micros() <= longer.as_micros()
}

// A batch that gets its turn late still commits long before its marks of doubt end.
const _: () = assert!(5 * BATCH_TURN_TIMEOUT.as_secs() <= IN_DOUBT_LIFETIME.as_secs());
// A name that a write waits for stays known as locked from one look to the next.
const _: () = assert!(below(LOCKED_ROWS_INTERVAL, LOCKED_NAME_LIFETIME));
// A registration is renewed, and Redis noted, while the process relies on the one before.
const RENEWED_WITHIN_US: u128 = REGISTRATION_INTERVAL.as_micros() + REDIS_NOTE_TIMEOUT.as_micros();
const _: () = assert!(RENEWED_WITHIN_US < REGISTRATION_TRUST_LIFETIME.as_micros());
// A command that is sent at the last moment is over before the registration is.
const _: () = assert!(below(REGISTRATION_TRUST_LIFETIME, REGISTRATION_LIFETIME));
// A registration that left out a replica is not relied upon any more once another process may have seeded that.
const LEFT_OUT_US: u128 =
    REPLICAS_KNOWN_LIFETIME.as_micros() + REGISTRATION_TRUST_LIFETIME.as_micros();
const _: () = assert!(LEFT_OUT_US < REGISTRATION_LIFETIME.as_micros());
// The replicas have confirmed a registration before the process stops waiting for it.
const _: () = assert!(below(REPLICAS_CONFIRM_TIMEOUT, REDIS_NOTE_TIMEOUT));
// Each process registers at a restarted server in time.
const _: () = assert!(below(REGISTRATION_INTERVAL, REGISTRATION_TIMEOUT));
// A process notices twice in that time that its lock file was removed.
const _: () = assert!(2 * CLAIM_INTERVAL.as_micros() <= CLAIM_LOSS_TIMEOUT.as_micros());
// While nothing is appended, the last look at the server is of use until the next one.
const LOOKED_WITHIN_US: u128 =
    REDIS_JOURNAL_INTERVAL.as_micros() + REDIS_JOURNAL_IDLE_INTERVAL.as_micros();
const _: () = assert!(LOOKED_WITHIN_US <= REDIS_JOURNAL_LOOK_LIFETIME.as_micros());
// A look at the health waits for a probe that is under way.
const _: () = assert!(below(PROBE_TIMEOUT, PROBED_HEALTH_TIMEOUT));
// A start waits for another process for as long as that waits for the lock.
const _: () = assert!(at_most(MIGRATION_LOCK_TIMEOUT, MYSQL_OPEN_TIMEOUT));
const _: () = assert!(at_most(CONDITION_BACKOFF, CONDITION_BACKOFF_MAX));
const _: () = assert!(at_most(RETRY_AFTER_BACKOFF_MIN, RETRY_AFTER_BACKOFF_MAX));
const _: () = assert!(at_most(DRAIN_BACKOFF_MIN, DRAIN_BACKOFF_MAX));
const _: () = assert!(at_most(HELD_BACK_BACKOFF_MIN, HELD_BACK_BACKOFF_MAX));
const _: () = assert!(at_most(PURGE_INTERVAL_MIN, PURGE_INTERVAL_MAX));
const _: () = assert!(at_most(BYPASS_BACKOFF_MIN, BYPASS_BACKOFF_MAX));
const _: () = assert!(at_most(STARTUP_BACKOFF_MIN, STARTUP_BACKOFF_MAX));
