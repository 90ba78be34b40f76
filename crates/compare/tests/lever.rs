//! What the lever does to the connections between a service and a server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use compare::fault::Lever;
use compare::workload::{Fault, FaultKind};
use testkit::wait::WAIT_TIMEOUT;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// A server that sends back what it is sent, until the client has nothing more to say.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
                let _ = writer.shutdown().await;
            });
        }
    });
    address
}

async fn before_echo() -> (Lever, SocketAddr) {
    let server = echo().await;
    let lever = Lever::before_server("127.0.0.1", server.port())
        .await
        .unwrap();
    let proxy = lever.proxy().unwrap();
    (lever, proxy)
}

/// What hangs fails.
async fn in_time<T>(what: impl Future<Output = T>) -> T {
    timeout(WAIT_TIMEOUT, what).await.expect("an end")
}

async fn ask(stream: &mut TcpStream) -> io::Result<()> {
    in_time(ask_and_wait(stream)).await
}

async fn ask_and_wait(stream: &mut TcpStream) -> io::Result<()> {
    let mut answer = [0; 4];
    stream.write_all(b"ping").await?;
    stream.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"ping");
    Ok(())
}

#[tokio::test]
async fn all_that_is_sent_passes_both_ways_also_after_the_client_has_said_its_last() {
    let (_lever, proxy) = before_echo().await;
    let sent: Vec<u8> = (0..3_000_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut came = Vec::new();
    let send = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let both = async { tokio::join!(send, reader.read_to_end(&mut came)) };
    let ((), read) = in_time(both).await;
    read.unwrap();
    assert!(came == sent, "{} of {} bytes", came.len(), sent.len());
}

#[tokio::test]
async fn an_outage_cuts_connections_and_ends_new_ones_until_it_is_restored() {
    let (lever, proxy) = before_echo().await;
    let connect = async || TcpStream::connect(proxy).await.unwrap();
    let mut first = connect().await;
    ask(&mut first).await.unwrap();
    lever.outage().await.unwrap();
    assert!(ask(&mut first).await.is_err());
    assert!(ask(&mut connect().await).await.is_err());
    lever.restore().await.unwrap();
    assert!(ask(&mut first).await.is_err());
    ask(&mut connect().await).await.unwrap();
}

#[tokio::test]
async fn a_slow_down_holds_for_connections_that_are_there_and_ends() {
    const DELAY: Duration = Duration::from_millis(150);
    let (lever, proxy) = before_echo().await;
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    ask(&mut stream).await.unwrap();
    lever.slow_down(DELAY).await.unwrap();
    let began = Instant::now();
    ask(&mut stream).await.unwrap();
    assert!(began.elapsed() >= DELAY);
    lever.restore().await.unwrap();
    // Some of these are undisturbed by whatever else this machine does.
    let mut fastest = DELAY;
    for _ in 0..20 {
        let began = Instant::now();
        ask(&mut stream).await.unwrap();
        fastest = fastest.min(began.elapsed());
    }
    assert!(fastest < DELAY, "{fastest:?}");
}

#[tokio::test]
async fn connections_and_the_proxy_end_with_the_lever() {
    let (lever, proxy) = before_echo().await;
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    ask(&mut stream).await.unwrap();
    drop(lever);
    let read = in_time(stream.read(&mut [0; 4])).await;
    assert_eq!(read.unwrap_or(0), 0);
    let refused = async {
        while TcpStream::connect(proxy).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    in_time(refused).await;
}

fn outage(from_ms: u64, until_ms: u64) -> Fault {
    Fault {
        kind: FaultKind::Outage,
        from: Duration::from_millis(from_ms),
        until: Duration::from_millis(until_ms),
    }
}

#[tokio::test]
async fn a_fault_is_there_at_its_times_and_says_when_it_was() {
    let (lever, proxy) = before_echo().await;
    let began = Instant::now();
    let injected = tokio::spawn({
        let lever = lever.clone();
        async move { lever.inject(&outage(100, 300), began).await }
    });
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    // It is cut by nothing but the fault.
    let read = in_time(stream.read(&mut [0; 4])).await;
    assert_eq!(read.unwrap_or(0), 0);
    assert!(began.elapsed() >= Duration::from_millis(100));
    let span = injected.await.unwrap().unwrap();
    assert_eq!(span.what, "database away");
    assert!(span.from_s >= 0.1 && span.until_s >= 0.3, "{span:?}");
    ask(&mut TcpStream::connect(proxy).await.unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn dropping_a_fault_ends_it() {
    let (lever, proxy) = before_echo().await;
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    let fault = outage(0, 3_600_000);
    tokio::select! {
        _ = lever.inject(&fault, Instant::now()) => panic!("it is over after an hour"),
        _ = in_time(stream.read_u8()) => {}
    }
    ask(&mut TcpStream::connect(proxy).await.unwrap())
        .await
        .unwrap();
}
