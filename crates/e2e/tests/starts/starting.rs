//! A service that is being started, and a server that is not ready yet.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use testkit::parts::Installation;
use testkit::wait::wait_until;

/// A start whose log is read while it waits. Dropping it kills the process.
pub(crate) struct Starting {
    child: Child,
    log: PathBuf,
}

impl Starting {
    pub(crate) fn spawn(installation: &Installation) -> Starting {
        let log = installation.folder().join("start.log");
        let file = File::create(&log).unwrap();
        let mut command = installation.command();
        command
            .env("LISTEN", "127.0.0.1:0")
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        Starting {
            child: command.spawn().unwrap(),
            log,
        }
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits for these words in the log.
    #[track_caller]
    pub(crate) fn says(&mut self, words: &str) {
        let mut ended = None;
        wait_until(words, || {
            if !self.log().contains(words) && ended.is_none() {
                ended = self.child.try_wait().unwrap();
                return ended.is_some();
            }
            true
        });
        assert!(self.log().contains(words), "{ended:?}: {}", self.log());
    }

    /// Waits until it says that it waits, which it does once, and not what it waits for.
    #[track_caller]
    pub(crate) fn waits(&mut self, cause: &str) {
        self.says(WAITING);
        assert!(self.log().contains(cause), "{cause}: {}", self.log());
    }

    /// Waits until it listens.
    #[track_caller]
    pub(crate) fn listens(&mut self) {
        self.says(" is listening");
        let said = self.log().matches(WAITING).count();
        assert!(said <= 1, "{}", self.log());
    }
}

const WAITING: &str = "waiting for a part to come up";

impl Drop for Starting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a server that is not ready yet answers.
#[derive(Clone)]
pub(crate) enum NotReady {
    /// A Redis answers every command with this error.
    Redis(&'static str),
    /// A MySQL or MariaDB refuses every connection with this error.
    Mysql(u16, &'static str),
}

/// Stands in front of a server, and answers in its place until it is opened.
pub(crate) struct Gate {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_open: AtomicBool,
    refused: AtomicUsize,
    clients: Mutex<Vec<TcpStream>>,
}

impl Gate {
    /// In front of the server at `address`.
    pub(crate) fn before(address: String, not_ready: NotReady) -> Gate {
        Gate::listening("127.0.0.1:0", address, not_ready)
    }

    pub(crate) fn listening(on: &str, address: String, not_ready: NotReady) -> Gate {
        let listener = TcpListener::bind(on).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (shared, address) = (of_thread.clone(), address.clone());
                let not_ready = not_ready.clone();
                thread::spawn(move || match shared.is_open.load(Ordering::SeqCst) {
                    true => pass_on(&client, &address),
                    false => refuse(&client, &shared, &not_ready),
                });
            }
        });
        Gate { port, shared }
    }

    /// Lets the server itself answer from now on.
    pub(crate) fn open(&self) {
        self.shared.is_open.store(true, Ordering::SeqCst);
        for client in self.shared.clients.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// Waits until something was refused so often.
    #[track_caller]
    pub(crate) fn refuses(&self, times: usize) {
        wait_until("the gate is asked", || {
            self.shared.refused.load(Ordering::SeqCst) >= times
        });
    }
}

fn pass_on(client: &TcpStream, address: &str) {
    let Ok(server) = TcpStream::connect(address) else {
        return;
    };
    let copy = |from: &TcpStream, to: &TcpStream| {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        })
    };
    let up = copy(client, &server);
    let _ = copy(&server, client).join();
    let _ = client.shutdown(Shutdown::Both);
    let _ = up.join();
}

fn refuse(client: &TcpStream, shared: &Shared, not_ready: &NotReady) {
    shared
        .clients
        .lock()
        .unwrap()
        .push(client.try_clone().unwrap());
    let mut client = client;
    match not_ready {
        NotReady::Mysql(code, text) => {
            // Its length, its number, 0xff, the error's code, and the text.
            let mut packet = vec![0, 0, 0, 0, 0xff];
            packet.extend_from_slice(&code.to_le_bytes());
            packet.extend_from_slice(text.as_bytes());
            packet[0] = u8::try_from(packet.len() - 4).unwrap();
            let _ = client.write_all(&packet);
            let _ = client.shutdown(Shutdown::Both);
            shared.refused.fetch_add(1, Ordering::SeqCst);
        }
        NotReady::Redis(error) => {
            let mut commands = BufReader::new(client.try_clone().unwrap());
            while next_command(&mut commands).is_some() {
                let _ = client.write_all(format!("-{error}\r\n").as_bytes());
                shared.refused.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// Reads a command, an array of texts.
fn next_command(commands: &mut BufReader<TcpStream>) -> Option<()> {
    let words = number(commands, '*')?;
    for _ in 0..words {
        let bytes = number(commands, '$')?;
        let mut word = vec![0; bytes + 2];
        commands.read_exact(&mut word).ok()?;
    }
    Some(())
}

fn number(commands: &mut BufReader<TcpStream>, kind: char) -> Option<usize> {
    let mut line = String::new();
    commands.read_line(&mut line).ok()?;
    line.trim_end().strip_prefix(kind)?.parse().ok()
}
