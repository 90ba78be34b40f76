//! A folder with settings, in which the subcommands are run.

use std::path::PathBuf;
use std::process::{Command, Output};

use testkit::parts::{Installation, Parts};
use testkit::service::{Service, run_to_end};

/// An installation that no process uses, unless the test starts one.
pub(crate) struct Site {
    pub(crate) installation: Installation,
}

/// What a subcommand has left.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) said: String,
}

impl Site {
    pub(crate) fn new(service: Service) -> Site {
        Site {
            installation: Parts::Embedded.install(service),
        }
    }

    /// Makes a file.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.installation.folder().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.installation.command();
        command.args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(run_to_end(&mut self.command(arguments)))
    }

    /// Imports, and expects this exit code.
    #[track_caller]
    pub(crate) fn import(&self, code: i32, arguments: &[&str]) -> Ended {
        let ended = self.run(&[&["import"], arguments].concat());
        assert_eq!(ended.code, code, "{}\n{}", ended.out, ended.said);
        ended
    }

    /// All users as lines.
    #[track_caller]
    pub(crate) fn export(&self) -> String {
        let ended = self.run(&["export"]);
        assert_eq!(ended.code, 0, "{}", ended.said);
        ended.out
    }
}

impl Ended {
    pub(crate) fn of(output: Output) -> Ended {
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            said: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
