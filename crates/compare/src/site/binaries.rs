//! The services' binaries: built as a user would, or found.

use std::env;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::started::StartedChild;
use crate::stop::{Stop, told};

/// How long cargo and what it has started may take to end when they are told to.
const STOP_MAX: Duration = Duration::from_secs(5);

/// Where both binaries are.
#[derive(Clone, Debug)]
pub struct Binaries {
    write_through: PathBuf,
    write_behind: PathBuf,
}

/// What cargo says of something that it has built, one JSON document a line.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

impl Binaries {
    /// Builds both from the workspace that this tool was built from, or where there is no cargo
    /// or no workspace (any more), takes those beside the tool. A tool that was built for debugging
    /// builds them so, too. Cargo writes its progress to standard error.
    ///
    /// # Errors
    /// When they do not build, or are not there. [`Error::Stopped`] when `stop` came before they
    /// were built.
    pub async fn build(stop: Stop) -> Result<Binaries> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        match build_in(&workspace(), &cargo, stop).await? {
            Some(binaries) => Ok(binaries),
            None => Binaries::beside_the_tool(),
        }
    }

    /// Takes those that are where the tool itself is.
    ///
    /// # Errors
    /// When one is not there.
    pub fn beside_the_tool() -> Result<Binaries> {
        let tool = env::current_exe().map_err(|why| Error::failed("looking for the tool", why))?;
        let folder = tool.parent().unwrap_or(Path::new("."));
        // Cargo puts a test one folder below the binaries.
        let folder = match folder.file_name() {
            Some(name) if name == "deps" => folder.parent().unwrap_or(folder),
            _ => folder,
        };
        Binaries::in_folder(folder)
    }

    /// Takes those of a folder.
    ///
    /// # Errors
    /// When one is not there.
    pub fn in_folder(folder: &Path) -> Result<Binaries> {
        let find = |pattern: Pattern| {
            let file = format!("{}{}", pattern.service(), env::consts::EXE_SUFFIX);
            let path = folder.join(file);
            if path.is_file() {
                return Ok(path);
            }
            Err(Error::Failed(format!(
                "{} is not there: build it with cargo build --release -p {}",
                path.display(),
                pattern.service()
            )))
        };
        Ok(Binaries {
            write_through: find(Pattern::WriteThrough)?,
            write_behind: find(Pattern::WriteBehind)?,
        })
    }

    /// That of one service.
    pub fn of(&self, pattern: Pattern) -> &Path {
        match pattern {
            Pattern::WriteThrough => &self.write_through,
            Pattern::WriteBehind => &self.write_behind,
        }
    }
}

/// The workspace as it was when the tool was built.
fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent().and_then(Path::parent);
    root.unwrap_or(package).to_owned()
}

/// `None` where there is nothing to build from or by.
async fn build_in(workspace: &Path, cargo: &OsStr, stop: Stop) -> Result<Option<Binaries>> {
    if !workspace.join("Cargo.lock").is_file() {
        return Ok(None);
    }
    let mut command = Command::new(cargo);
    command.args(["build", "--locked"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    for pattern in Pattern::BOTH {
        command.args(["-p", pattern.service()]);
    }
    // Where they are depends on the environment and on cargo's own settings; cargo knows.
    command
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let child = match StartedChild::spawn(&mut command) {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::failed("starting cargo", error)),
    };
    let messages = messages_of(child, stop).await?;
    let binary = |pattern: Pattern| {
        binary_in(&messages, pattern.service()).ok_or_else(|| {
            Error::Failed(format!("cargo did not say where {} is", pattern.service()))
        })
    };
    Ok(Some(Binaries {
        write_through: binary(Pattern::WriteThrough)?,
        write_behind: binary(Pattern::WriteBehind)?,
    }))
}

/// What cargo says until it ends.
async fn messages_of(mut cargo: StartedChild, mut stop: Stop) -> Result<String> {
    let (whole, messages) = oneshot::channel();
    if let Some(mut output) = cargo.take_stdout() {
        thread::spawn(move || {
            let mut said = Vec::new();
            let read = output.read_to_end(&mut said);
            // The receiver is gone once the tool is told to stop.
            let _ = whole.send(read.map(|_| said));
        });
    }
    let status = tokio::select! {
        status = cargo.wait() => status,
        () = told(&mut stop) => {
            // Also what it has started. Whatever does not end is killed.
            cargo.signal(Signal::TERM);
            cargo.ended_within(STOP_MAX).await;
            return Err(Error::Stopped);
        }
    };
    if !status.success() {
        return Err(Error::failed("building the services", status));
    }
    let failed = |why: String| Error::failed("reading what cargo says", why);
    let said = messages.await.map_err(|why| failed(why.to_string()))?;
    let said = said.map_err(|why| failed(why.to_string()))?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn binary_in(messages: &str, name: &str) -> Option<PathBuf> {
    let artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    artifacts
        .filter(|artifact| artifact.target.name == name)
        .find_map(|artifact| artifact.executable)
}

#[cfg(test)]
mod tests {
    use procfs::process::Process;

    use super::*;

    #[test]
    fn cargo_says_where_a_binary_is_and_a_library_of_that_name_is_none() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"a"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"b"},"executable":"/t/b"}
{"reason":"compiler-artifact","target":{"name":"a"},"executable":"/t/a"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(binary_in(messages, "a"), Some("/t/a".into()));
        assert_eq!(binary_in(messages, "c"), None);
    }

    /// A workspace, and a cargo that runs `script` instead.
    fn workspace_with_cargo(script: &str) -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Cargo.lock"), "").unwrap();
        let cargo = folder.path().join("cargo");
        std::fs::write(&cargo, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn never_stopped() -> Stop {
        tokio::sync::watch::channel(false).1
    }

    #[tokio::test]
    async fn both_services_are_built_as_they_are_locked_and_taken_from_where_cargo_puts_them() {
        let workspace = workspace_with_cargo(
            r#"echo "$@" > asked
            echo '{"target":{"name":"write-through-svc"},"executable":"/t/wt"}'
            echo '{"target":{"name":"write-behind-svc"},"executable":"/t/wb"}'"#,
        );
        let folder = workspace.path();
        let built = build_in(folder, folder.join("cargo").as_os_str(), never_stopped())
            .await
            .unwrap();
        let built = built.unwrap();
        assert_eq!(built.of(Pattern::WriteThrough), "/t/wt");
        assert_eq!(built.of(Pattern::WriteBehind), "/t/wb");
        let asked = std::fs::read_to_string(folder.join("asked")).unwrap();
        assert_eq!(
            asked.trim(),
            "build --locked -p write-through-svc -p write-behind-svc \
             --message-format=json-render-diagnostics"
        );
    }

    #[tokio::test]
    async fn a_build_that_fails_is_an_error_and_no_reason_to_take_old_binaries() {
        let workspace = workspace_with_cargo("exit 101");
        let folder = workspace.path();
        let built = build_in(folder, folder.join("cargo").as_os_str(), never_stopped()).await;
        assert!(built.unwrap_err().to_string().contains("101"));
    }

    #[tokio::test]
    async fn a_build_ends_with_what_it_has_started_when_it_is_told_to() {
        // As cargo does it: a child of its own, which it waits for.
        let workspace =
            workspace_with_cargo("sleep 600 & echo $! > child.new; mv child.new child; wait");
        let folder = workspace.path();
        let (tell, stop) = tokio::sync::watch::channel(false);
        let cargo = folder.join("cargo");
        let build = build_in(folder, cargo.as_os_str(), stop);
        let (built, ()) = tokio::join!(build, async {
            while !folder.join("child").is_file() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tell.send_replace(true);
        });
        assert!(matches!(built, Err(Error::Stopped)), "{built:?}");
        let child = std::fs::read_to_string(folder.join("child")).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        // The process that inherits the child may not have reaped it yet.
        let child: i32 = child.trim().parse().unwrap();
        while Process::new(child).is_ok_and(|child| child.is_alive()) {
            assert!(std::time::Instant::now() < deadline, "it runs on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn without_a_workspace_or_a_cargo_there_is_nothing_to_build() {
        let workspace = workspace_with_cargo("exit 101");
        let folder = workspace.path();
        let missing = folder.join("no-cargo");
        assert!(
            build_in(folder, missing.as_os_str(), never_stopped())
                .await
                .unwrap()
                .is_none()
        );
        std::fs::remove_file(folder.join("Cargo.lock")).unwrap();
        let cargo = folder.join("cargo");
        assert!(
            build_in(folder, cargo.as_os_str(), never_stopped())
                .await
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn a_binary_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Binaries::in_folder(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("write-through-svc"), "{refused}");
    }
}
