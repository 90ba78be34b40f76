//! Which process listens at an address of this machine, as far as this user may know.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A socket that listens, in the state column.
const LISTENS: &str = "0A";

/// As much of a process's name as Linux keeps beside that of its file.
const COMM_CHARS_MAX: usize = 15;

/// Looks through the lists of sockets, and of files that processes have open. `None` where it is
/// not this machine's loopback, or a process that cannot be looked at, or one whose program has
/// none of these names: what listens may only pass on what another machine or container answers.
pub(super) fn listener_at(address: SocketAddr, names: &[&str]) -> Option<u32> {
    if !address.ip().is_loopback() {
        return None;
    }
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|list| fs::read_to_string(list).ok())
        .flat_map(|list| inodes_in(&list, address))
        .collect();
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    // One that has forked comes before those that have its socket from it, mostly.
    pids.sort_unstable();
    pids.into_iter()
        .find(|pid| has_any(*pid, &inodes) && has_name(*pid, names))
}

fn has_name(pid: u32, names: &[&str]) -> bool {
    let file = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let file = file.file_name().unwrap_or_default().to_string_lossy();
    // The binary was replaced while the process runs.
    let file = file.strip_suffix(" (deleted)").unwrap_or(&file);
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let comm = comm.trim_end();
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    names.iter().any(|name| {
        let kept = name.get(..COMM_CHARS_MAX).unwrap_or(name);
        *name == file || kept == comm || is_loaded(file, &command_line, name)
    })
}

/// Whether the program is run through a dynamic loader that was named by itself, as programs of
/// another release of the system are: then that is the process's file, and the program's is among
/// its arguments.
fn is_loaded(file: &str, command_line: &[u8], name: &str) -> bool {
    let mut words = command_line.split(|byte| *byte == 0);
    let is_it = |word: &[u8]| word.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes());
    file.starts_with("ld-linux") && words.any(is_it)
}

/// The sockets' numbers.
fn inodes_in(list: &str, address: SocketAddr) -> Vec<String> {
    let places = places(address);
    let inode = |line: &str| {
        let mut columns = line.split_whitespace().skip(1);
        let place = columns.next()?;
        let state = columns.nth(1)?;
        let inode = columns.nth(5)?;
        let listens = state == LISTENS && places.iter().any(|wanted| wanted == place);
        listens.then(|| inode.to_owned())
    };
    list.lines().filter_map(inode).collect()
}

/// The address and those that stand for all of this machine's, in the form that the lists have.
fn places(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let v6 = |ip: Ipv6Addr| {
        let octets = ip.octets();
        let words = octets.chunks_exact(4).map(hexadecimal);
        words.collect::<String>()
    };
    let mut hosts = vec![v6(Ipv6Addr::UNSPECIFIED)];
    match address.ip() {
        IpAddr::V4(ip) => hosts.extend([
            hexadecimal(&ip.octets()),
            hexadecimal(&[0; 4]),
            v6(ip.to_ipv6_mapped()),
        ]),
        IpAddr::V6(ip) => hosts.push(v6(ip)),
    }
    hosts
        .into_iter()
        .map(|host| format!("{host}:{port:04X}"))
        .collect()
}

/// Four bytes as the number that they are to this machine.
fn hexadecimal(bytes: &[u8]) -> String {
    let word = bytes.try_into().unwrap_or_default();
    format!("{:08X}", u32::from_ne_bytes(word))
}

fn has_any(pid: u32, inodes: &[String]) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .any(|link| {
            let link = link.to_string_lossy();
            let inode = link.strip_prefix("socket:[");
            let inode = inode.and_then(|link| link.strip_suffix(']'));
            inode.is_some_and(|inode| inodes.iter().any(|wanted| wanted == inode))
        })
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
        let line = b"/x/ld-linux-x86-64.so.2\0--library-path\0/x/lib\0/x/sbin/mysqld\0--port=1\0";
        assert!(is_loaded("ld-linux-x86-64.so.2", line, "mysqld"));
        assert!(!is_loaded("ld-linux-x86-64.so.2", line, "mariadbd"));
        assert!(!is_loaded("ssh", b"ssh\0mysqld\0", "mysqld"));
    }

    #[test]
    fn who_listens_and_is_another_program_is_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let own = own_name();
        let found = listener_at(address, &["mysqld", &own]);
        assert_eq!(found, Some(std::process::id()));
        assert_eq!(listener_at(address, &["mysqld", "mariadbd"]), None);
    }

    #[test]
    fn who_listens_is_found_by_its_address_and_by_any_that_stands_for_it() {
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
            assert_eq!(
                listener_at(address, &[&own_name()]),
                Some(std::process::id()),
                "{listens}"
            );
            drop(listener);
            assert_eq!(listener_at(address, &[&own_name()]), None, "{listens}");
        }
    }

    #[test]
    fn only_this_machines_loopback_is_looked_at() {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(
            listener_at(SocketAddr::new([192, 0, 2, 1].into(), port), &[&own_name()]),
            None
        );
    }
}
