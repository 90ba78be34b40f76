//! A small disk for a service's files, which a test fills and frees.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;

use crate::parts::Installation;
use crate::service::ServiceProcess;

const SIZE: &str = "size=1m";
/// Above the small files that a service overwrites in place, below a segment of a journal.
const FILE_BYTES_MAX: u64 = 16_384;

/// About a fifth of a mounted disk's.
const BOUND_BYTES: u64 = 200_000;

/// A folder with little room. Dropping it removes it.
#[derive(Debug)]
pub struct SmallDisk {
    kind: Kind,
    folder: TempDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A file system of its own.
    Mounted,
    /// A limit on the size of the service's files, which any user may set.
    Limited,
}

impl SmallDisk {
    /// A file system of its own, or, where this process may not mount one, as
    /// [`SmallDisk::limited`].
    pub fn mounted() -> SmallDisk {
        let mut disk = SmallDisk::limited();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "tmpfs"])
            .arg(disk.folder.path())
            .output();
        match mount {
            Ok(output) if output.status.success() => disk.kind = Kind::Mounted,
            refused => println!("no file system can be mounted here: {refused:?}"),
        }
        disk
    }

    /// An ordinary folder; [`SmallDisk::fill`] limits the size of a process's
    /// files.
    pub fn limited() -> SmallDisk {
        SmallDisk {
            kind: Kind::Limited,
            folder: TempDir::new().expect("a temporary folder"),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the service of an installation so that a write for which there is
    /// no room fails, rather than ends the process.
    pub fn start(&self, installation: &Installation) -> ServiceProcess {
        let service = installation.command();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "trap '' XFSZ; exec \"$0\""])
            .arg(service.get_program())
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .envs(installation.settings())
            .current_dir(installation.folder());
        ServiceProcess::spawn(command)
    }

    /// Takes all room that is left for the process, or most of it.
    pub fn fill(&self, process: &ServiceProcess) {
        match self.kind {
            Kind::Mounted => {
                let mut ballast = File::options()
                    .create(true)
                    .append(true)
                    .open(self.ballast())
                    .expect("a file");
                while ballast.write_all(&[1; 4_096]).is_ok() {}
            }
            Kind::Limited => limit(process, Some(FILE_BYTES_MAX)),
        }
    }

    /// Bounds the process's files where the disk has no size of its own.
    pub fn bound(&self, process: &ServiceProcess) {
        if self.kind == Kind::Limited {
            limit(process, Some(BOUND_BYTES));
        }
    }

    /// Gives the room back.
    pub fn free(&self, process: &ServiceProcess) {
        match self.kind {
            Kind::Mounted => {
                let _ = fs::remove_file(self.ballast());
            }
            Kind::Limited => limit(process, None),
        }
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.kind == Kind::Mounted {
            // Lazily, as a test that fails may have files open.
            let _ = Command::new("umount")
                .arg("-l")
                .arg(self.folder.path())
                .output();
        }
    }
}

fn limit(process: &ServiceProcess, bytes: Option<u64>) {
    set_limit(process, Resource::Fsize, bytes);
}

/// Limits a resource of a running process; `None` for no limit but the hard one.
///
/// # Panics
///
/// When the process has ended.
pub fn set_limit(process: &ServiceProcess, resource: Resource, most: Option<u64>) {
    let pid = Pid::from_raw(process.id() as i32);
    let now = rustix::process::getrlimit(resource);
    let limit = Rlimit {
        current: most.or(now.maximum),
        maximum: now.maximum,
    };
    prlimit(pid, resource, limit).expect("a limit");
}
