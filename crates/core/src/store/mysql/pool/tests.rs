use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::advance;

use super::*;
use crate::concurrency::own_thread::OwnThread;

const MAX: usize = 8;

/// A server that admits so many connections.
#[derive(Debug, Default)]
struct Server {
    admits: AtomicUsize,
    counted: Arc<AtomicUsize>,
    tries: AtomicUsize,
    questions: Arc<AtomicUsize>,
    /// Connections of before say nothing any more.
    is_silent: Arc<AtomicBool>,
    /// How long it counts one that was closed.
    closing: Duration,
}

/// A connection to it.
#[derive(Debug)]
struct Fake {
    counted: Arc<AtomicUsize>,
    questions: Arc<AtomicUsize>,
    is_silent: Arc<AtomicBool>,
    closing: Duration,
}

impl Drop for Fake {
    fn drop(&mut self) {
        let (counted, closing) = (self.counted.clone(), self.closing);
        tokio::spawn(async move {
            sleep(closing).await;
            counted.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

impl Opens for Arc<Server> {
    type Connection = Fake;

    async fn open(&self) -> std::result::Result<Fake, NotConnected> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(3)).await;
        if self.counted.load(Ordering::SeqCst) >= self.admits.load(Ordering::SeqCst) {
            return Err(NotConnected::NoRoom("too many".to_owned()));
        }
        self.counted.fetch_add(1, Ordering::SeqCst);
        Ok(Fake {
            counted: self.counted.clone(),
            questions: self.questions.clone(),
            is_silent: self.is_silent.clone(),
            closing: self.closing,
        })
    }

    async fn answers(connection: &mut Fake) -> bool {
        connection.questions.fetch_add(1, Ordering::SeqCst);
        if connection.is_silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        true
    }
}

fn server(admits: usize) -> Arc<Server> {
    Arc::new(Server {
        admits: AtomicUsize::new(admits),
        ..Server::default()
    })
}

impl Server {
    fn tries(&self) -> usize {
        self.tries.load(Ordering::SeqCst)
    }
}

/// So many callers at once, each several times. Returns how many connections were lent at the
/// same time at most.
async fn callers(pool: &Pool<Arc<Server>>, count: usize) -> usize {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..count {
        let (pool, now, most) = (pool.clone(), now.clone(), most.clone());
        callers.spawn(async move {
            for _ in 0..5 {
                let lent = pool.lend().await.unwrap();
                let lent_now = now.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(lent_now, Ordering::SeqCst);
                sleep(Duration::from_millis(10)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                lent.give_back();
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    most.load(Ordering::SeqCst)
}

/// So many connections, all of them idle.
async fn filled(server: &Arc<Server>, count: usize) -> Pool<Arc<Server>> {
    let pool = Pool::new(server.clone(), MAX);
    let mut lent = Vec::new();
    for _ in 0..count {
        lent.push(pool.lend().await.unwrap());
    }
    lent.into_iter().for_each(Lent::give_back);
    assert_eq!(server.tries(), count);
    pool
}

#[tokio::test(start_paused = true)]
async fn callers_share_what_the_server_admits() {
    let server = server(3);
    let pool = Pool::new(server.clone(), MAX);
    assert_eq!(callers(&pool, 64).await, 3);
    // The first callers came together, before any was refused.
    assert!(server.tries() <= MAX, "{}", server.tries());
}

#[tokio::test(start_paused = true)]
async fn a_pool_grows_when_the_server_admits_more() {
    let server = server(3);
    let pool = Pool::new(server.clone(), MAX);
    assert_eq!(callers(&pool, 64).await, 3);
    server.admits.store(100, Ordering::SeqCst);
    let mut most = 3;
    for _ in 0..8 {
        advance(Duration::from_secs(3)).await;
        most = callers(&pool, 64).await.max(most);
    }
    assert_eq!(most, MAX);
}

#[tokio::test(start_paused = true)]
async fn a_full_server_is_asked_now_and_then_only() {
    let server = server(3);
    let pool = Pool::new(server.clone(), MAX);
    callers(&pool, 64).await;
    let before = server.tries();
    for _ in 0..20 {
        advance(Duration::from_secs(3)).await;
        assert_eq!(callers(&pool, 64).await, 3);
    }
    assert!(server.tries() - before <= 25, "{}", server.tries() - before);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_caller_sees_the_pool_grow() {
    let server = server(1);
    let pool = Pool::new(server.clone(), MAX);
    let _kept = pool.lend().await.unwrap();
    let waits = {
        let pool = pool.clone();
        tokio::spawn(async move { pool.lend().await.map(drop) })
    };
    sleep(Duration::from_millis(100)).await;
    assert!(!waits.is_finished());
    server.admits.store(2, Ordering::SeqCst);
    waits.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_caller_fails_where_there_is_no_connection() {
    let server = server(0);
    let pool = Pool::new(server.clone(), MAX);
    advance(timing::MYSQL_CLOSING_TIMEOUT).await;
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let pool = pool.clone();
        callers.spawn(async move { pool.lend().await.map(drop) });
    }
    while let Some(caller) = callers.join_next().await {
        assert!(matches!(caller.unwrap(), Err(Error::Unavailable { .. })));
    }
    server.admits.store(1, Ordering::SeqCst);
    pool.lend().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_just_closed_is_waited_for() {
    let server = Arc::new(Server {
        admits: AtomicUsize::new(1),
        closing: Duration::from_millis(300),
        ..Server::default()
    });
    let pool = filled(&server, 1).await;
    advance(timing::MYSQL_CLOSING_TIMEOUT * 2).await;
    drop(pool.lend().await.unwrap());
    pool.lend().await.unwrap().give_back();
    pool.discard_idle();
    pool.lend().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_long_idle_is_asked_whether_it_answers() {
    let server = server(MAX);
    let pool = filled(&server, 4).await;
    pool.lend().await.unwrap().give_back();
    assert_eq!(server.questions.load(Ordering::SeqCst), 0);
    advance(timing::MYSQL_TRUSTED_IDLE_LIFETIME * 2).await;
    let lent = pool.lend().await.unwrap();
    assert!(lent.was_used());
    lent.give_back();
    assert_eq!(server.questions.load(Ordering::SeqCst), 1);
    assert_eq!(server.tries(), 4);
}

#[tokio::test(start_paused = true)]
async fn silent_connections_are_replaced_after_one_timeout() {
    let server = server(MAX);
    let pool = filled(&server, 4).await;
    advance(timing::MYSQL_TRUSTED_IDLE_LIFETIME * 2).await;
    server.is_silent.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let lent = pool.lend().await.unwrap();
    assert!(!lent.was_used());
    assert!(began.elapsed() < timing::MYSQL_PING_TIMEOUT * 2);
    assert_eq!(server.tries(), 5);
    lent.give_back();
    server.is_silent.store(false, Ordering::SeqCst);
    assert_eq!(callers(&pool, 64).await, MAX);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_caller_costs_no_place() {
    let server = server(MAX);
    let pool = Pool::new(server.clone(), 1);
    for _ in 0..3 {
        let cut = timeout(Duration::from_millis(1), pool.lend()).await;
        assert!(cut.is_err());
    }
    assert_eq!(pool.shared.state().open, 0);
    // One that waits, too.
    let lent = pool.lend().await.unwrap();
    assert!(timeout(Duration::from_secs(9), pool.lend()).await.is_err());
    lent.give_back();
    pool.lend().await.unwrap();
    assert_eq!(pool.shared.state().open, 0, "dropped is closed");
}

/// Lends a connection to a thread of its own twice, one after the other. The thread ends with what is
/// returned.
async fn lend_to_a_thread(pool: &Pool<Arc<Server>>) -> (oneshot::Sender<()>, OwnThread) {
    let pool = pool.clone();
    let (say, said) = oneshot::channel();
    let (ends, ended) = oneshot::channel();
    let task = async move {
        for _ in 0..2 {
            let lent = pool.lend().await.unwrap();
            assert!(lent.home == own_thread::home());
            lent.give_back();
        }
        say.send(()).unwrap();
        let _ = ended.await;
    };
    let thread = own_thread::start("test", task).unwrap();
    said.await.unwrap();
    (ends, thread)
}

/// A thread of its own drives its own connections, as long as there is room for them.
#[tokio::test]
async fn each_runtime_is_lent_the_connections_that_it_drives() {
    let server = server(2);
    let pool = Pool::new(server.clone(), 2);
    pool.lend().await.unwrap().give_back();
    let _thread = lend_to_a_thread(&pool).await;
    assert_eq!(server.tries(), 2);
    let lent = pool.lend().await.unwrap();
    assert!(lent.home == own_thread::home());
    // Where there is no room it takes what there is.
    let other = pool.lend().await.unwrap();
    assert!(other.home != own_thread::home());
    assert_eq!(server.tries(), 2);
}

/// The server admits no second one.
#[tokio::test]
async fn a_thread_is_lent_the_only_connection_that_there_is() {
    let server = server(1);
    let pool = Pool::new(server.clone(), MAX);
    pool.lend().await.unwrap().give_back();
    let of_thread = pool.clone();
    let task = async move {
        let lent = of_thread.lend().await.unwrap();
        assert!(lent.home != own_thread::home());
        lent.give_back();
    };
    let thread = own_thread::start("test", task).unwrap();
    thread.ended().await;
    assert_eq!(pool.shared.state().idle.len(), 1);
    assert_eq!(server.tries(), 2);
    pool.lend().await.unwrap().give_back();
    assert_eq!(server.tries(), 2);
}

#[tokio::test]
async fn connections_of_a_thread_that_ended_are_closed() {
    let server = server(2);
    let pool = Pool::new(server.clone(), 2);
    let (ends, thread) = lend_to_a_thread(&pool).await;
    drop(ends);
    thread.ended().await;
    let lent = pool.lend().await.unwrap();
    assert!(lent.home == own_thread::home());
    assert_eq!(pool.shared.state().open, 1);
    assert_eq!(server.tries(), 2);
}
