//! Asking a service that runs on this machine how it is, for a container that has
//! neither a shell nor another program to do that.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use cache_core::tls::server::ask_this_machine;

/// How long all of it may take.
pub const TIME_MAX: Duration = Duration::from_secs(3);
/// How much is read to find the status, which is in the first line.
const ANSWER_BYTES_MAX: usize = 1024;

/// Where to ask a service that listens on `listen`. One that listens on every address
/// does so on the loopback address.
pub fn address(listen: SocketAddr) -> SocketAddr {
    let loopback = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(loopback, listen.port())
}

/// Asks for `path` and waits for `200` for at most `time_max`, all in all.
///
/// # Errors
/// What came instead, in one line.
pub fn ask(
    address: SocketAddr,
    speaks_tls: bool,
    path: &str,
    time_max: Duration,
) -> Result<(), String> {
    let scheme = if speaks_tls { "https" } else { "http" };
    let status = status(address, speaks_tls, path, Instant::now() + time_max).map_err(|error| {
        let reason = match error.kind() {
            // The second is what a read with a time limit says on Unix.
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                format!("no answer within {time_max:?}")
            }
            _ => error.to_string(),
        };
        format!("{scheme}://{address}{path}: {reason}")
    })?;
    match status.as_str() {
        "200" => Ok(()),
        other => Err(format!("{scheme}://{address}{path}: answered {other}")),
    }
}

fn status(
    address: SocketAddr,
    speaks_tls: bool,
    path: &str,
    deadline: Instant,
) -> io::Result<String> {
    let socket = TcpStream::connect_timeout(&address, left(deadline)?)?;
    match speaks_tls {
        true => {
            // Before the first reads and writes, which are those of the handshake.
            socket.set_write_timeout(Some(left(deadline)?))?;
            socket.set_read_timeout(Some(left(deadline)?))?;
            let stream = ask_this_machine(socket.try_clone()?)?;
            status_from(stream, &socket, path, deadline)
        }
        false => status_from(socket.try_clone()?, &socket, path, deadline),
    }
}

fn status_from(
    mut stream: impl Read + Write,
    socket: &TcpStream,
    path: &str,
    deadline: Instant,
) -> io::Result<String> {
    let address = socket.peer_addr()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    while answer.len() < ANSWER_BYTES_MAX {
        if let Some(end) = answer.iter().position(|byte| *byte == b'\n') {
            return status_in(answer.get(..end).unwrap_or_default()).ok_or_else(no_http);
        }
        // The timeout shrinks to what is left, so that a peer that sends byte by byte
        // gains nothing.
        socket.set_read_timeout(Some(left(deadline)?))?;
        let mut bytes = [0; ANSWER_BYTES_MAX];
        match stream.read(&mut bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => answer.extend_from_slice(bytes.get(..count).unwrap_or_default()),
        }
    }
    Err(no_http())
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

fn no_http() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP")
}

/// The three digits of a line such as `HTTP/1.1 200 OK`.
fn status_in(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    let (version, rest) = line.split_once(' ')?;
    let status = rest.split([' ', '\r']).next()?;
    let is_http = version.starts_with("HTTP/1.")
        && status.len() == 3
        && status.bytes().all(|byte| byte.is_ascii_digit());
    is_http.then(|| status.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says why")]

    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// Accepts one connection and does `serve` with it.
    fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || serve(listener.accept().unwrap().0));
        address
    }

    fn answering(answer: &'static [u8]) -> SocketAddr {
        server(move |mut stream| {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer);
        })
    }

    #[test]
    fn only_200_is_healthy() {
        for (answer, expected) in [
            (b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), None),
            (
                b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
                Some("answered 503"),
            ),
            (b"HTTP/1.1 2000 OK\r\n\r\n", Some("the answer is no HTTP")),
            (b"200 OK\r\n\r\n", Some("the answer is no HTTP")),
            (b"HTTP/1.1 20", Some("unexpected end of file")),
            (b"", Some("unexpected end of file")),
            (&[b'x'; 5000], Some("the answer is no HTTP")),
        ] {
            let outcome = ask(
                answering(answer),
                false,
                "/healthz",
                Duration::from_secs(20),
            );
            match expected {
                None => assert_eq!(outcome, Ok(())),
                Some(reason) => {
                    let said = outcome.unwrap_err();
                    assert!(said.ends_with(reason), "{said}");
                    assert_eq!(said.lines().count(), 1);
                }
            }
        }
    }

    #[test]
    fn a_silent_or_dripping_service_times_out() {
        const TIME_MAX: Duration = Duration::from_millis(300);
        let silent = server(|stream| {
            thread::sleep(Duration::from_secs(60));
            drop(stream);
        });
        let dripping = server(|mut stream| {
            while stream.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        for address in [silent, dripping] {
            let began = Instant::now();
            let said = ask(address, false, "/healthz", TIME_MAX).unwrap_err();
            assert!(said.ends_with("no answer within 300ms"), "{said}");
            assert!(began.elapsed() >= TIME_MAX);
            assert!(began.elapsed() < Duration::from_secs(10));
        }
    }

    #[test]
    fn an_unreachable_service_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = listener.local_addr().unwrap();
        drop(listener);
        let said = ask(gone, false, "/healthz", Duration::from_secs(20)).unwrap_err();
        assert!(
            said.starts_with(&format!("http://{gone}/healthz: ")),
            "{said}"
        );
    }

    #[test]
    fn a_wildcard_address_is_asked_on_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("10.1.2.3:80", "10.1.2.3:80"),
        ] {
            assert_eq!(address(listen.parse().unwrap()).to_string(), expected);
        }
    }
}
