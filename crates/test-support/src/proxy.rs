//! A proxy between a service and a server, for breaking the network between the two.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes bytes on in both directions until it is cut. It ends with the test.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_cut: bool,
    streams: Vec<TcpStream>,
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
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = pass_on(client, server, &shared);
            }
        });
        ChaosProxy { address, state }
    }

    /// The URL with the proxy in place of the server.
    pub fn url(&self, url: &str) -> String {
        url.replacen(authority(url), &self.address.to_string(), 1)
    }

    /// Ends all connections, and from now on every new one at once.
    pub fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_cut = true;
        for stream in state.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Passes on again.
    pub fn restore(&self) {
        self.state.lock().unwrap().is_cut = false;
    }
}

/// `host:port` of a URL.
fn authority(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

fn pass_on(client: TcpStream, server: SocketAddr, state: &Mutex<State>) -> io::Result<()> {
    let mut state = state.lock().unwrap();
    if state.is_cut {
        return Ok(());
    }
    let server = TcpStream::connect(server)?;
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        from.set_nodelay(true)?;
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    state.streams.extend([client, server]);
    Ok(())
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
}
