//! What the tool has started and made, so that it can be cleaned up also where the process ends
//! without running destructors.

mod child;
mod folder;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};

pub(crate) use child::StartedChild;
pub(crate) use folder::ScratchFolder;

/// How long those that are killed may take to be gone.
const KILLED_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether they are.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// All of this process.
static STARTED: Mutex<Started> = Mutex::new(Started {
    children: Vec::new(),
    folders: Vec::new(),
    databases: Vec::new(),
});

#[derive(Debug)]
struct Started {
    /// Children that have not been reaped, so their ids cannot belong to other processes. Each
    /// leads a process group of its own.
    children: Vec<Pid>,
    folders: Vec<PathBuf>,
    /// In words, with the server that they are on.
    databases: Vec<String>,
}

/// Locks the registry. Held while a child is started or reaped.
fn started() -> MutexGuard<'static, Started> {
    // Lists of names are whole whatever happened meanwhile.
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a database that is on a server from now on.
pub(crate) fn note_database(in_words: String) {
    started().databases.push(in_words);
}

/// It is not there any more.
pub(crate) fn forget_database(in_words: &str) {
    started().databases.retain(|kept| kept != in_words);
}

/// Kills every child, removes every folder, has `last_words` say which databases are left, and
/// ends the process with `code`.
pub(crate) fn end_at_once(code: u8, last_words: impl FnOnce(&[String])) -> ! {
    // IMPORTANT: kept locked until the process ends. Otherwise another thread could start a child,
    // or reap one of these, whose id may then belong to another process.
    let mut started = started();
    for pid in &started.children {
        // One that has ended by itself is as well.
        let _ = kill_process_group(*pid, Signal::KILL);
    }
    let deadline = Instant::now() + KILLED_MAX;
    started
        .children
        .retain(|pid| !is_gone_until(*pid, deadline));
    // IMPORTANT: after the children have ended, so that none writes into them any more.
    for folder in &started.folders {
        let _ = fs::remove_dir_all(folder);
    }
    last_words(&started.databases);
    std::process::exit(code.into())
}

fn is_gone_until(pid: Pid, deadline: Instant) -> bool {
    loop {
        match waitpid(Some(pid), WaitOptions::NOHANG) {
            Ok(None) if Instant::now() < deadline => thread::sleep(LOOK_EVERY),
            Ok(None) => return false,
            Ok(Some(_)) | Err(_) => return true,
        }
    }
}

/// Ctrl-C goes to a terminal's whole group: there the tool decides when its children end.
fn spawn_in_a_group_of_its_own(command: &mut Command) -> io::Result<std::process::Child> {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0).spawn()
}
