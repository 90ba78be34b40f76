//! A service whose callers need tokens.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use testkit::http::Response;
use testkit::service::{Service, ServiceProcess, run_to_end};

/// A token, and its line in the file.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: String,
}

impl Token {
    /// Makes one by the subcommand.
    pub(crate) fn make(right: &str, name: &str) -> Token {
        let mut command = Service::WriteThrough.command();
        let made = run_to_end(command.args(["token", right, name]));
        assert!(made.status.success(), "{made:?}");
        let printed = String::from_utf8(made.stdout).unwrap();
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines.len(), 5, "{printed}");
        Token {
            text: lines[1].to_owned(),
            line: lines[4].to_owned(),
        }
    }
}

/// A service with a token of each right.
pub(crate) struct Site {
    pub(crate) process: ServiceProcess,
    pub(crate) reader: Token,
    pub(crate) writer: Token,
    pub(crate) admin: Token,
    folder: TempDir,
}

impl Site {
    pub(crate) fn start(service: Service, env: &[(&str, &str)]) -> Site {
        let folder = TempDir::new().unwrap();
        let [reader, writer, admin] =
            ["read", "write", "admin"].map(|right| Token::make(right, &format!("the-{right}-one")));
        let file = folder.path().join("tokens");
        fs::write(&file, file_of(&[&reader, &writer, &admin])).unwrap();
        let path = file.to_str().unwrap();
        let mut all = vec![("AUTH_TOKENS_FILE", path)];
        all.extend(env);
        Site {
            process: ServiceProcess::start(service, &all),
            reader,
            writer,
            admin,
            folder,
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    /// Sends a request with this token, or without any.
    pub(crate) fn ask(&self, method: &str, path: &str, token: Option<&Token>) -> Response {
        let bearer = token.map(|token| format!("Bearer {}", token.text));
        let bearer = bearer.as_deref().map(|bearer| ("Authorization", bearer));
        let client = self.process.client();
        client.request(method, path, bearer.as_slice(), None)
    }

    /// What `/readyz` warns of.
    pub(crate) fn warnings(&self) -> String {
        let ready = self.ask("GET", "/readyz", Some(&self.reader)).json();
        ready["warnings"].to_string()
    }
}

/// A file with these tokens.
pub(crate) fn file_of(tokens: &[&Token]) -> String {
    let lines = tokens.iter().map(|token| format!("{}\n", token.line));
    "# tokens of a test\n\n".to_owned() + &lines.collect::<String>()
}
