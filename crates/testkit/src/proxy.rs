//! A proxy between a service and a server, for breaking the network between the two.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::servers::without_socket;

/// Most bytes that are passed on at once.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// What only a service says to Redis first.
const GREETING: &[u8] = b"HELLO";

/// Passes bytes on in both directions until it is cut. It ends with the test.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_cut: bool,
    // Cut for clients that greet as Redis servers and Sentinels do.
    is_cut_for_servers: bool,
    holds: bool,
    // How many pieces wait to be released.
    held: usize,
    // Of each connection its two ends, and whether a service has opened it.
    streams: Vec<([TcpStream; 2], Arc<AtomicBool>)>,
    // Of each connection: whether it was forgotten.
    forgotten: Vec<Arc<AtomicBool>>,
}

impl ChaosProxy {
    /// A proxy in front of the server that a URL names, `scheme://user:password@host:port/…`.
    pub fn before(url: &str) -> Self {
        let server = authority(url)
            .to_socket_addrs()
            .ok()
            .and_then(|mut addresses| addresses.next())
            .unwrap_or_else(|| panic!("no host and port in the URL of a server"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        let shared = Arc::new(Shared::default());
        let proxy = ChaosProxy {
            address,
            shared: shared.clone(),
        };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = connect(client, server, &shared);
            }
        });
        proxy
    }

    /// The URL with the proxy in place of the server.
    pub fn url(&self, url: &str) -> String {
        let proxied = url.replacen(authority(url), &self.address.to_string(), 1);
        if proxied.starts_with("mysql:") {
            without_socket(&proxied)
        } else {
            proxied
        }
    }

    /// Ends all connections, and from now on every new one at once.
    pub fn cut(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.is_cut = true;
        for (ends, _) in state.streams.drain(..) {
            shut_down(&ends);
        }
    }

    /// Ends the connections of replicas and Sentinels, and from now on every new one, but none of a service. They are
    /// told apart by the first word, which is `HELLO` of a service.
    pub fn cut_for_servers(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.is_cut_for_servers = true;
        for (ends, is_of_service) in &state.streams {
            if !is_of_service.load(Ordering::Acquire) {
                shut_down(ends);
            }
        }
    }

    /// Passes on again.
    pub fn restore(&self) {
        self.shared.state.lock().unwrap().is_cut = false;
    }

    /// Keeps back what clients send from now on, as a network that is slow without end. What the server
    /// sends still passes.
    pub fn hold(&self) {
        self.shared.state.lock().unwrap().holds = true;
    }

    /// Drops all connections silently, as a firewall does after a pause: both ends keep them and receive
    /// nothing more. New ones pass.
    pub fn forget(&self) {
        for forgotten in self.shared.state.lock().unwrap().forgotten.drain(..) {
            forgotten.store(true, Ordering::Release);
        }
    }

    /// Whether something is being kept back.
    pub fn is_holding(&self) -> bool {
        self.shared.state.lock().unwrap().held > 0
    }

    /// Sends on what was kept back, and passes on again.
    pub fn release(&self) {
        self.shared.state.lock().unwrap().holds = false;
        self.shared.released.notify_all();
    }
}

/// `host:port` of a URL.
pub fn authority(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

fn connect(client: TcpStream, server: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    let mut state = shared.state.lock().unwrap();
    if state.is_cut {
        return Ok(());
    }
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = (client.try_clone()?, client.try_clone()?);
    let (from_server, to_server) = (server.try_clone()?, server.try_clone()?);
    let before_server = shared.clone();
    let is_of_service = Arc::new(AtomicBool::new(false));
    let greets = is_of_service.clone();
    let forgotten = Arc::new(AtomicBool::new(false));
    state.forgotten.push(forgotten.clone());
    let forgets = forgotten.clone();
    thread::spawn(move || {
        pass_on(from_client, to_server, &forgets, |piece| {
            if piece.windows(GREETING.len()).any(|word| word == GREETING) {
                greets.store(true, Ordering::Release);
            }
            before_server.wait_until_released();
            greets.load(Ordering::Acquire) || !before_server.is_cut_for_servers()
        });
    });
    thread::spawn(move || pass_on(from_server, to_client, &forgotten, |_| true));
    state.streams.push(([client, server], is_of_service));
    Ok(())
}

fn shut_down(ends: &[TcpStream]) {
    for end in ends {
        let _ = end.shutdown(Shutdown::Both);
    }
}

/// Passes bytes on until either side ends, each piece after `before_piece`, or until that returns `false`. Once the connection is
/// forgotten, it passes on nothing, not even the end of a side.
fn pass_on(
    mut from: TcpStream,
    mut to: TcpStream,
    forgotten: &AtomicBool,
    before_piece: impl Fn(&[u8]) -> bool,
) {
    let mut piece = [0; PIECE_BYTES_MAX];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if !before_piece(&piece[..length]) {
            break;
        }
        if forgotten.load(Ordering::Acquire) {
            continue;
        }
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    if !forgotten.load(Ordering::Acquire) {
        let _ = to.shutdown(Shutdown::Both);
    }
}

impl Shared {
    fn is_cut_for_servers(&self) -> bool {
        self.state.lock().unwrap().is_cut_for_servers
    }

    fn wait_until_released(&self) {
        let mut state = self.state.lock().unwrap();
        state.held += 1;
        let mut state = self
            .released
            .wait_while(state, |state| state.holds)
            .unwrap();
        state.held -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn a_cut_ends_connections_and_refuses_new_ones_until_it_is_restored() {
        let echo = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://user:p@ss@{}/1", echo.local_addr().unwrap());
        thread::spawn(move || {
            for stream in echo.incoming().flatten() {
                thread::spawn(move || io::copy(&mut &stream, &mut &stream));
            }
        });
        let proxy = ChaosProxy::before(&url);
        let proxied = proxy.url(&url);
        assert_eq!(proxied, format!("redis://user:p@ss@{}/1", proxy.address));

        let connect = || TcpStream::connect(proxy.address).unwrap();
        let ask = |stream: &mut TcpStream| {
            let mut answer = [0; 4];
            let asked = stream.write_all(b"ping");
            asked.is_ok() && stream.read_exact(&mut answer).is_ok() && &answer == b"ping"
        };
        let mut first = connect();
        assert!(ask(&mut first));
        proxy.cut();
        assert!(!ask(&mut first));
        assert!(!ask(&mut connect()));
        proxy.restore();
        assert!(!ask(&mut first));
        assert!(ask(&mut connect()));
    }

    #[test]
    fn what_is_held_comes_when_it_is_released() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = ChaosProxy::before(&format!("redis://{}", server.local_addr().unwrap()));
        let mut client = TcpStream::connect(proxy.address).unwrap();
        let (mut at_server, _) = server.accept().unwrap();
        proxy.hold();
        assert!(!proxy.is_holding());
        client.write_all(b"ping").unwrap();
        while !proxy.is_holding() {
            thread::yield_now();
        }
        at_server.set_nonblocking(true).unwrap();
        let mut came = [0; 4];
        assert!(at_server.read(&mut came).is_err());
        // The other direction is open.
        at_server.set_nonblocking(false).unwrap();
        at_server.write_all(b"hello").unwrap();
        client.read_exact(&mut [0; 5]).unwrap();

        proxy.release();
        at_server.read_exact(&mut came).unwrap();
        assert_eq!(&came, b"ping");
    }

    #[test]
    fn neither_side_hears_of_a_forgotten_connection() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = ChaosProxy::before(&format!("redis://{}", server.local_addr().unwrap()));
        for closes_client in [true, false] {
            let client = TcpStream::connect(proxy.address).unwrap();
            let (at_server, _) = server.accept().unwrap();
            proxy.forget();
            let (mut closed, mut other) = match closes_client {
                true => (client, at_server),
                false => (at_server, client),
            };
            closed.write_all(b"ping").unwrap();
            closed.shutdown(Shutdown::Write).unwrap();
            // The proxy has seen the end: it has closed its own side.
            assert_eq!(closed.read(&mut [0; 4]).unwrap(), 0);
            other.set_nonblocking(true).unwrap();
            let heard = other.read(&mut [0; 4]).unwrap_err();
            assert_eq!(heard.kind(), io::ErrorKind::WouldBlock);
            other.write_all(b"pong").unwrap();
        }
    }
}
