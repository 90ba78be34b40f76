//! A proxy between a service and a database server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::Disturbance;
use super::delay_line::pass_on;
use crate::error::{Error, Result};

/// Most connections at a time; more wait. A service has far fewer to its database.
const CONNECTIONS_MAX: usize = 256;
/// How long not to accept after that has failed, mostly since too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Passes on what a service and a server say to each other. It ends when it is dropped, with
/// all connections.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    disturbance: watch::Sender<Disturbance>,
    task: AbortHandle,
}

impl Proxy {
    pub(super) async fn start(host: &str, port: u16) -> Result<Proxy> {
        let failed = |why: io::Error| Error::failed("starting a proxy before the database", why);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (disturbance, disturbed) = watch::channel(Disturbance::None);
        let server = (host.to_owned(), port);
        let task = tokio::spawn(accept(listener, server, disturbed)).abort_handle();
        Ok(Proxy {
            address,
            disturbance,
            task,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn disturb(&self, disturbance: Disturbance) {
        self.disturbance.send_replace(disturbance);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    server: (String, u16),
    disturbed: watch::Receiver<Disturbance>,
) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // They end with this task.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = free.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((client, _)) => {
                let connection = connect(client, server.clone(), disturbed.clone());
                connections.spawn(async move {
                    // How a connection ended, both of its ends see for themselves.
                    let _ = connection.await;
                    drop(place);
                });
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn connect(
    client: TcpStream,
    server: (String, u16),
    mut disturbed: watch::Receiver<Disturbance>,
) -> io::Result<()> {
    let delay = disturbed.clone();
    let delay = move || match *delay.borrow() {
        Disturbance::SlowDown(delay) => delay,
        Disturbance::None | Disturbance::Outage => Duration::ZERO,
    };
    let outage = disturbed.wait_for(|disturbance| *disturbance == Disturbance::Outage);
    tokio::select! {
        // Looked at first, so that nothing comes through while there is one.
        biased;
        _ = outage => Ok(()),
        ended = pass_on_both_ways(client, server, delay) => ended,
    }
}

/// Ends when the server has nothing more to say, or one of the two breaks.
async fn pass_on_both_ways(
    mut client: TcpStream,
    server: (String, u16),
    delay: impl Fn() -> Duration,
) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.split();
    let (mut from_server, to_server) = server.split();
    let to_server = async {
        pass_on(from_client, to_server, delay).await?;
        std::future::pending::<io::Result<()>>().await
    };
    tokio::select! {
        broken = to_server => broken,
        ended = tokio::io::copy(&mut from_server, &mut to_client) => ended.map(drop),
    }
}
