//! The servers' programs: those of the servers that scripts/test was told to take, or else of the system.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::servers::url_of_server;

/// The folder with the programs of servers that are not the system's own.
const CHOSEN: &str = "TEST_SERVER_PROGRAMS";

/// The program, which is there when scripts/test has started servers itself. Without the shared server that
/// `variable` names, a test has none of its own either.
pub(super) fn server_command(program: &str, variable: &str) -> Command {
    url_of_server(variable);
    let binary = found(program).unwrap_or_else(|| {
        panic!(
            "{program} is not installed: this test kills a server of its own, beside the one that \
             {variable} names; install it, or run scripts/test without {variable}, which does"
        )
    });
    Command::new(binary)
}

/// Whether the chosen servers have this program.
pub(super) fn is_chosen(program: &str) -> bool {
    chosen().is_some_and(|folder| folder.join(program).is_file())
}

fn chosen() -> Option<PathBuf> {
    env::var_os(CHOSEN).map(PathBuf::from)
}

/// IMPORTANT: where servers were chosen, no other will do.
fn found(program: &str) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = match chosen() {
        Some(folder) => vec![folder],
        None => {
            let path = env::var_os("PATH").unwrap_or_default();
            let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
            env::split_paths(&path).chain(system).collect()
        }
    };
    let mut binaries = folders.iter().map(|folder| folder.join(program));
    binaries.find(|binary| binary.is_file())
}
