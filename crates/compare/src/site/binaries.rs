//! The services' binaries: built as a user would, or found.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::started::StartedChild;
use crate::stop::{Stop, told};

/// How long cargo and what it has started may take to end when they are told to.
const STOP_MAX: Duration = Duration::from_secs(5);

/// The folder in which they are, with the tool itself.
#[derive(Clone, Debug)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// Builds both from the workspace that this tool was built from, to where the tool is, in the
    /// same way; where there is no cargo or no workspace (any more), takes those that are there.
    /// Cargo writes its progress to standard error.
    ///
    /// # Errors
    /// When they do not build, or are not there. [`Error::Stopped`] when `stop` came before they
    /// were built.
    pub async fn build(stop: Stop) -> Result<Binaries> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        build_in(workspace, &cargo, &folder_of_the_tool()?, stop).await?;
        Binaries::beside_the_tool()
    }

    /// Takes those that are where the tool itself is.
    ///
    /// # Errors
    /// When one is not there.
    pub fn beside_the_tool() -> Result<Binaries> {
        Binaries::in_folder(&folder_of_the_tool()?)
    }

    /// Takes those of a folder.
    ///
    /// # Errors
    /// When one is not there.
    pub fn in_folder(folder: &Path) -> Result<Binaries> {
        let binaries = Binaries(folder.to_owned());
        for pattern in Pattern::BOTH {
            let path = binaries.of(pattern);
            if !path.is_file() {
                let (path, service) = (path.display(), pattern.service());
                return Err(Error::Failed(format!(
                    "{path} is not there: build it with cargo build --release -p {service}"
                )));
            }
        }
        Ok(binaries)
    }

    /// That of one service; of a handler of the tool's own, the tool.
    pub fn of(&self, pattern: Pattern) -> PathBuf {
        self.0
            .join(format!("{}{}", pattern.service(), env::consts::EXE_SUFFIX))
    }
}

fn folder_of_the_tool() -> Result<PathBuf> {
    let tool = env::current_exe().map_err(|why| Error::failed("looking for the tool", why))?;
    let folder = tool.parent().unwrap_or(Path::new("."));
    // Cargo puts a test one folder below the binaries.
    Ok(match folder.file_name() {
        Some(name) if name == "deps" => folder.parent().unwrap_or(folder),
        _ => folder,
    }
    .to_owned())
}

/// Does nothing where there is nothing to build from or by.
async fn build_in(workspace: &Path, cargo: &OsStr, folder: &Path, mut stop: Stop) -> Result<()> {
    if !workspace.join("Cargo.lock").is_file() {
        return Ok(());
    }
    let mut command = Command::new(cargo);
    command
        .args(["build", "--locked", "--target-dir"])
        .arg(folder.parent().unwrap_or(folder));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    for pattern in Pattern::BOTH {
        command.args(["-p", pattern.service()]);
    }
    command
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut cargo = match StartedChild::spawn(&mut command) {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::failed("starting cargo", error)),
    };
    let status = tokio::select! {
        status = cargo.wait() => status,
        () = told(&mut stop) => {
            // Also what it has started. Whatever does not end is killed.
            cargo.signal(Signal::TERM);
            cargo.ended_within(STOP_MAX).await;
            return Err(Error::Stopped);
        }
    };
    match status.success() {
        true => Ok(()),
        false => Err(Error::failed("building the services", status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    async fn build(workspace: &Path, stop: Stop) -> Result<()> {
        let cargo = workspace.join("cargo");
        build_in(workspace, cargo.as_os_str(), Path::new("/t/debug"), stop).await
    }

    #[tokio::test]
    async fn both_services_are_built_as_they_are_locked_to_where_the_tool_is() {
        let (_told, stop) = tokio::sync::watch::channel(false);
        let workspace = workspace_with_cargo(r#"echo "$@" > asked"#);
        build(workspace.path(), stop.clone()).await.unwrap();
        let asked = std::fs::read_to_string(workspace.path().join("asked")).unwrap();
        let expected = "build --locked --target-dir /t -p write-through-svc -p write-behind-svc";
        assert_eq!(asked.trim(), expected);
        // Without a workspace there is nothing to build.
        std::fs::remove_file(workspace.path().join("Cargo.lock")).unwrap();
        std::fs::remove_file(workspace.path().join("asked")).unwrap();
        build(workspace.path(), stop.clone()).await.unwrap();
        assert!(!workspace.path().join("asked").exists());
        // A build that fails is no reason to take old binaries.
        let failing = workspace_with_cargo("exit 101");
        let failed = build(failing.path(), stop).await.unwrap_err();
        assert!(failed.to_string().contains("101"), "{failed}");
    }

    #[tokio::test]
    async fn a_build_ends_with_what_it_has_started_when_it_is_told_to() {
        // As cargo does it: a child of its own, which it waits for.
        let workspace =
            workspace_with_cargo("sleep 600 & echo $! > child.new; mv child.new child; wait");
        let child = workspace.path().join("child");
        let (tell, stop) = tokio::sync::watch::channel(false);
        let (built, ()) = tokio::join!(build(workspace.path(), stop), async {
            while !child.is_file() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tell.send_replace(true);
        });
        assert!(matches!(built, Err(Error::Stopped)), "{built:?}");
        let stat = format!(
            "/proc/{}/stat",
            std::fs::read_to_string(&child).unwrap().trim()
        );
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        // The process that inherits the child may not have reaped it yet.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(std::time::Instant::now() < deadline, "it runs on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[test]
    fn a_binary_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Binaries::in_folder(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("write-through-svc"), "{refused}");
    }
}
