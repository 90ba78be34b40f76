//! Which process listens at an address of this machine, as far as this user may know.

use std::net::{IpAddr, SocketAddr};

use procfs::net::{TcpState, tcp, tcp6};
use procfs::process::{FDTarget, Process, all_processes};

/// As much of a process's name as Linux keeps beside that of its file.
const COMM_CHARS_MAX: usize = 15;

/// Looks through the lists of sockets, and of files that processes have open. `None` where it is
/// not this machine's loopback, or a process that cannot be looked at, or one whose program has
/// none of these names: what listens may only pass on what another machine or container answers.
pub(super) fn listener_at(address: SocketAddr, names: &[&str]) -> Option<u32> {
    if !address.ip().is_loopback() {
        return None;
    }
    let lists = tcp().into_iter().chain(tcp6()).flatten();
    let inodes: Vec<u64> = lists
        .filter(|socket| {
            socket.state == TcpState::Listen && stands_for(socket.local_address, address)
        })
        .map(|socket| socket.inode)
        .collect();
    let mut processes: Vec<Process> = all_processes().ok()?.flatten().collect();
    // One that has forked comes before those that have its socket from it, mostly.
    processes.sort_unstable_by_key(|process| process.pid);
    let found = processes
        .iter()
        .find(|process| has_any(process, &inodes) && has_name(process, names))?;
    u32::try_from(found.pid).ok()
}

/// Whether what listens there is reached at the address: itself, or one for all of this machine's.
fn stands_for(listens: SocketAddr, address: SocketAddr) -> bool {
    let ip = match listens.ip() {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4),
        ip => ip,
    };
    let all = ip.is_unspecified() && (ip.is_ipv6() || address.is_ipv4());
    listens.port() == address.port() && (ip == address.ip() || all)
}

fn has_name(process: &Process, names: &[&str]) -> bool {
    let file = process.exe().unwrap_or_default();
    let file = file.file_name().unwrap_or_default().to_string_lossy();
    // The binary was replaced while the process runs.
    let file = file.strip_suffix(" (deleted)").unwrap_or(&file);
    let comm = process.stat().map(|stat| stat.comm).unwrap_or_default();
    let command_line = process.cmdline().unwrap_or_default();
    names.iter().any(|name| {
        let kept = name.get(..COMM_CHARS_MAX).unwrap_or(name);
        *name == file || kept == comm || is_loaded(file, &command_line, name)
    })
}

/// Whether the program is run through a dynamic loader that was named by itself, as programs of
/// another release of the system are: then that is the process's file, and the program's is among
/// its arguments.
fn is_loaded(file: &str, command_line: &[String], name: &str) -> bool {
    let is_it = |word: &String| word.rsplit('/').next() == Some(name);
    file.starts_with("ld-linux") && command_line.iter().any(is_it)
}

fn has_any(process: &Process, inodes: &[u64]) -> bool {
    let files = process.fd().into_iter().flatten().flatten();
    files
        .into_iter()
        .any(|file| matches!(file.target, FDTarget::Socket(inode) if inodes.contains(&inode)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn own_name() -> String {
        let file = std::env::current_exe().unwrap();
        file.file_name().unwrap().to_string_lossy().into_owned()
    }

    #[test]
    fn a_program_that_is_run_through_a_loader_has_its_own_name() {
        let line = [
            "/x/ld-linux-x86-64.so.2",
            "--library-path",
            "/x/sbin/mysqld",
            "--port=1",
        ];
        let line = line.map(str::to_owned);
        assert!(is_loaded("ld-linux-x86-64.so.2", &line, "mysqld"));
        assert!(!is_loaded("ld-linux-x86-64.so.2", &line, "mariadbd"));
        assert!(!is_loaded("ssh", &line, "mysqld"));
    }

    #[test]
    fn a_listener_is_found_by_its_address_and_by_any_that_stands_for_it() {
        for (listens, asked) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
            ("[::]:0", "127.0.0.1"),
        ] {
            // Not every machine has IPv6.
            let Ok(listener) = TcpListener::bind(listens) else {
                assert!(listens.starts_with('['), "{listens}");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let address = SocketAddr::new(asked.parse().unwrap(), port);
            let found = listener_at(address, &["mysqld", &own_name()]);
            assert_eq!(found, Some(std::process::id()), "{listens}");
            // Another program, or another machine's address.
            assert_eq!(listener_at(address, &["mysqld", "mariadbd"]), None);
            let other = SocketAddr::new([192, 0, 2, 1].into(), port);
            assert_eq!(listener_at(other, &[&own_name()]), None);
            drop(listener);
            assert_eq!(listener_at(address, &[&own_name()]), None, "{listens}");
        }
    }
}
