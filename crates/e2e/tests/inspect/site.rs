//! Running the subcommand, and what it prints.

use serde_json::{Value, json};
use testkit::http::{Client, user_path};
use testkit::parts::Installation;
use testkit::service::run_to_end;

/// What it printed.
pub(crate) struct Inspected {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Inspected {
    /// The last line.
    pub(crate) fn last(&self) -> &str {
        self.text.lines().last().unwrap()
    }

    /// The line of a part.
    #[track_caller]
    pub(crate) fn line(&self, part: &str) -> &str {
        let mut lines = self.text.lines();
        lines.find(|line| line.starts_with(part)).expect(&self.text)
    }

    #[track_caller]
    pub(crate) fn expect(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{}", self.text);
        for word in words {
            assert!(self.last().contains(word), "{word}: {}", self.text);
        }
        self
    }
}

/// Looks at the name in both forms.
#[track_caller]
pub(crate) fn inspect(installation: &Installation, name: &str) -> Inspected {
    let run = |json: bool| {
        let mut command = installation.command();
        command
            .args(["inspect", name])
            .args(json.then_some("--json"));
        let output = run_to_end(&mut command);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(!stdout.is_empty(), "{stderr}");
        (output.status.code().unwrap(), stdout)
    };
    let (code, text) = run(false);
    let (code_of_json, json) = run(true);
    assert_eq!(code, code_of_json, "{text} {json}");
    Inspected {
        code,
        text,
        json: serde_json::from_str(&json).expect(&json),
    }
}

/// Writes a user. Returns the version.
#[track_caller]
pub(crate) fn write(client: &Client, name: &str, age: u8) -> u64 {
    let user = json!({ "age": age, "occupation": "Engineer" });
    let answer = client.put_json(&user_path(name), &user);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let tag = answer.header("ETag").unwrap();
    tag.trim_matches('"').parse().unwrap()
}

#[track_caller]
pub(crate) fn delete(client: &Client, name: &str) {
    assert_eq!(client.delete(&user_path(name)).status, 204);
}

#[track_caller]
pub(crate) fn flush(client: &Client) {
    let answer = client.request("POST", "/flush?timeout_s=30", &[], None);
    assert_eq!(answer.status, 200, "{}", answer.text());
}
