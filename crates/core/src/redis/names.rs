//! Short notations for what the names of keys contain. Each maps one to one, so no two databases, and no
//! two runs or epochs, ever have a name in common.

use std::fmt::Write as _;

/// Digits of an identity, in hexadecimal notation and here. So many bits.
const IDENTITY: (usize, u32) = (16, 64);
/// The same of a run of the server.
const RUN: (usize, u32) = (12, 48);

/// What no short notation contains: a name in full comes after it.
const IN_FULL: char = '=';

/// 64 digits, none of which means anything in a pattern of `SCAN`.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What the names of all keys of a database's shards begin with.
pub(super) fn start_of_shards(identity: &str) -> String {
    format!(
        "wc{{{}:",
        short(identity, IDENTITY).unwrap_or_else(|| in_full(identity))
    )
}

/// Patterns, as `SCAN` takes them, of the names of all keys of a database.
pub fn patterns(identity: &str) -> [String; 2] {
    [
        format!("{}*", start_of_shards(identity)),
        format!("wc:{{{identity}}}:*"),
    ]
}

/// A run with its epoch, `<run>.<epoch>`: the run in eight digits, and the epoch.
pub(super) fn short_run(run: &str) -> String {
    let short = run.split_once('.').and_then(|(run, epoch)| {
        let number: u64 = epoch.parse().ok()?;
        (number.to_string() == epoch).then_some(())?;
        Some(short(run, RUN)? + epoch)
    });
    short.unwrap_or_else(|| in_full(run))
}

/// Hexadecimal digits in fewer ones, always the same number of them: six bits each, as in base64url.
/// `None` for any other text.
fn short(text: &str, (hexadecimal, bits): (usize, u32)) -> Option<String> {
    let is_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != hexadecimal || !text.bytes().all(is_digit) {
        return None;
    }
    let digits = bits.div_ceil(6);
    // Without this, the last digit would have less than six bits.
    let number = u128::from(u64::from_str_radix(text, 16).ok()?) << (6 * digits - bits);
    let digit = |place: u32| DIGITS.get((number >> (6 * place)) as usize % DIGITS.len());
    let digits = (0..digits).rev().filter_map(digit);
    Some(digits.map(|digit| char::from(*digit)).collect())
}

fn in_full(text: &str) -> String {
    let mut name = IN_FULL.to_string();
    for byte in text.bytes() {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_are_those_of_base64url() {
        assert_eq!(start_of_shards("0123456789abcdef"), "wc{ASNFZ4mrze8:");
        assert_eq!(start_of_shards("ffffffffffffffff"), "wc{__________8:");
        assert_eq!(start_of_shards("0000000000000000"), "wc{AAAAAAAAAAA:");
        assert_eq!(short_run("fedcba987654.0"), "_ty6mHZU0");
        assert_eq!(short_run("fedcba987654.120"), "_ty6mHZU120");
        let patterns = patterns("0123456789abcdef");
        assert_eq!(patterns, ["wc{ASNFZ4mrze8:*", "wc:{0123456789abcdef}:*"]);
    }

    /// A server without a run id, or an identity that was made by hand.
    #[test]
    fn other_texts_are_written_in_full() {
        assert_eq!(start_of_shards("a*"), "wc{=612a:");
        assert_eq!(short_run("0.7"), "=302e37");
        for other in [
            "fedcba98765.0",
            "fedcba98765g.0",
            "+edcba987654.0",
            "FEDCBA987654.0",
            "fedcba987654",
            "fedcba987654.",
            "fedcba987654.x",
            "fedcba987654.07",
            "",
        ] {
            assert!(short_run(other).starts_with(IN_FULL), "{other}");
        }
    }

    #[test]
    fn different_texts_have_different_notations() {
        let mut names: Vec<String> = (0..48)
            .map(|bit| format!("{:012x}", 1_u64 << bit))
            .collect();
        names.push("0".repeat(12));
        let with_epochs = names.iter().flat_map(|run| {
            let epochs = [0_u64, 1, 10, 11, u64::MAX];
            epochs.map(|epoch| short_run(&format!("{run}.{epoch}")))
        });
        let mut short: Vec<String> = with_epochs.collect();
        let count = short.len();
        short.sort();
        short.dedup();
        assert_eq!(short.len(), count);
    }
}
