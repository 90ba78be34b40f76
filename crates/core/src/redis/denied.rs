//! What Redis does not let the user of `CACHE_URL` do, and what an operator does about that. Waiting does
//! not mend it, so it ends a start at once.

use deadpool_redis::redis::RedisError;

use crate::error::{Error, Part};

/// A command, keys or a channel that the user's ACL does not have.
const NO_PERMISSION: &str = "NOPERM";
/// Wrong credentials, and none where some are needed.
const CREDENTIALS: [&str; 2] = ["WRONGPASS", "NOAUTH"];

/// What Redis from 7.2 on says where a script is denied something; some versions with the code ERR.
const ACL_FAILURE: &str = "ACL failure in script";
/// What Redis before 7.2 says where a script is denied something. It names no command.
const IN_SCRIPT: &str = "The user executing the script can't";

/// What `error` means if it is about the rights of the user.
pub(super) fn error(part: Part, error: &RedisError) -> Option<Error> {
    in_words(error).map(|sentence| Error::distrusted(part, sentence))
}

/// The sentence for an operator, if `error` is about the rights of the user.
fn in_words(error: &RedisError) -> Option<String> {
    let code = error.code()?;
    if CREDENTIALS.contains(&code) {
        return Some(format!(
            "Redis refuses the user of CACHE_URL ({code}): correct the name and the password there"
        ));
    }
    let detail = error.detail().unwrap_or_default();
    if detail.contains(IN_SCRIPT) && detail.contains("run this command") {
        return Some(
            "Redis denies a command within a script to the user of CACHE_URL, and names it only from 7.2 on: \
             the user's ACL needs all commands in docs/permissions.md"
                .to_owned(),
        );
    }
    let is_denied = [IN_SCRIPT, ACL_FAILURE]
        .iter()
        .any(|said| detail.contains(said));
    (code == NO_PERMISSION || is_denied).then(|| {
        // IMPORTANT: no more than the command: the text may have a key, with the name of a user in it.
        match command(detail) {
            Some(command) => format!(
                "Redis denies the command {command} to the user of CACHE_URL ({code}): add +{} to the \
                 user's ACL (docs/permissions.md)",
                command.replace(' ', "|")
            ),
            None if detail.contains("channel") => format!(
                "Redis denies its channel to the user of CACHE_URL ({code}): add &wc* to the user's ACL \
                 (docs/permissions.md)"
            ),
            None => format!(
                "Redis denies its keys to the user of CACHE_URL ({code}): add ~wc* to the user's ACL \
                 (docs/permissions.md)"
            ),
        }
    })
}

/// The command in `… has no permissions to run the 'config|get' command`, in upper case.
fn command(detail: &str) -> Option<String> {
    let (_, named) = detail.split_once(" run the '")?;
    let (command, _) = named.split_once("' command")?;
    Some(command.replace('|', " ").to_uppercase())
}

#[cfg(test)]
mod tests {
    use deadpool_redis::redis::parse_redis_value;

    use super::*;

    fn said(line: &str) -> Option<String> {
        let answer = parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        in_words(&answer.extract_error().unwrap_err())
    }

    #[test]
    fn the_command_that_is_denied_is_named_and_no_key_is() {
        for (line, expected) in [
            (
                "NOPERM User svc has no permissions to run the 'xadd' command",
                "+XADD ",
            ),
            (
                "NOPERM this user has no permissions to run the 'config|get' command",
                "+CONFIG|GET ",
            ),
            (
                "ERR ACL failure in script: User svc has no permissions to run the 'xadd' command script: f, on @user_script:1.",
                "the command XADD ",
            ),
            (
                "NOPERM ACL failure in script: User svc has no permissions to run the 'hset' command",
                "the command HSET ",
            ),
            (
                "ERR The user executing the script can't run this command or subcommand script: x, on @user_script:1.",
                "within a script",
            ),
            (
                "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
                "~wc*",
            ),
            ("NOPERM No permissions to access a key", "~wc*"),
            (
                "NOPERM User svc has no permissions to access the 'wc:x:Ann' key",
                "~wc*",
            ),
            (
                "NOPERM User svc has no permissions to access the 'wc:x' channel",
                "&wc*",
            ),
            (
                "WRONGPASS invalid username-password pair or user is disabled.",
                "the password",
            ),
            ("NOAUTH Authentication required.", "CACHE_URL"),
        ] {
            let said = said(line).unwrap();
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains("Ann"), "{said}");
        }
    }

    #[test]
    fn what_may_pass_is_no_denial() {
        for code in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "NOREPLICAS Not enough good replicas to write.",
            "MASTERDOWN Link with MASTER is down",
            "CLUSTERDOWN The cluster is down",
            "BUSY Redis is busy running a script.",
            "MISCONF Redis is configured to save RDB snapshots",
            "ERR max number of clients reached",
        ] {
            assert_eq!(said(code), None, "{code}");
        }
    }
}
