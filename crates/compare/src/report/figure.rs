//! Figures as people read them. None of these writes `NaN` or `inf`, whatever it is given.

use indicatif::HumanCount;

/// What stands where nothing is known.
pub(super) const UNKNOWN: &str = "–";

/// More than this is written with an exponent.
const DIGITS_FROM: f64 = 1e15;

/// `12,345`.
pub(super) fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// To the nearest whole one; nothing below zero.
pub(super) fn whole(value: f64) -> String {
    if !value.is_finite() {
        UNKNOWN.to_owned()
    } else if value >= DIGITS_FROM {
        format!("{value:.1e}")
    } else {
        // The cast saturates, and the value is far below what it holds.
        count(value.max(0.0).round() as u64)
    }
}

/// Three digits that mean something: `0.042`, `1.83`, `18.3`, `12,345`.
pub(super) fn three_digits(value: f64) -> String {
    match value {
        value if !value.is_finite() => UNKNOWN.to_owned(),
        value if value <= 0.0 => "0".to_owned(),
        value if value < 0.0005 => "<0.001".to_owned(),
        value if value < 0.9995 => format!("{value:.3}"),
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => whole(value),
    }
}

/// Two digits that mean something: `0.042`, `1.8`, `18`, `183`.
pub(super) fn two_digits(value: f64) -> String {
    match value {
        value if !value.is_finite() => UNKNOWN.to_owned(),
        value if value <= 0.0 => "0".to_owned(),
        value if value < 0.0005 => "<0.001".to_owned(),
        value if value < 0.0995 => format!("{value:.3}"),
        value if value < 0.995 => format!("{value:.2}"),
        value if value < 9.95 => format!("{value:.1}"),
        value => whole(value),
    }
}

/// A time of so many milliseconds, in the unit that suits it: `0.42 ms`, `24 ms`, `6.2 s`.
pub(super) fn milliseconds(value_ms: f64) -> String {
    if value_ms.is_finite() && value_ms >= 999.5 {
        format!("{} s", two_digits(value_ms / 1e3))
    } else {
        format!("{} ms", two_digits(value_ms))
    }
}

/// A time of so many seconds, in the unit that suits it: `24 ms`, `6.2 s`.
pub(super) fn seconds(value_s: f64) -> String {
    milliseconds(value_s * 1e3)
}

/// A point in time: `6.0 s`.
pub(super) fn moment(at_s: f64) -> String {
    if at_s.is_finite() && at_s.abs() < DIGITS_FROM {
        format!("{:.1} s", at_s.max(0.0))
    } else {
        UNKNOWN.to_owned()
    }
}

/// `12.3 MiB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = "EiB";
    for smaller in UNITS {
        if value < 999.5 {
            unit = smaller;
            break;
        }
        value /= 1024.0;
    }
    format!("{} {unit}", three_digits(value))
}

/// `93 %`, of a share from 0 to 1. Only all of it is `100 %`, and only nothing `0 %`.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if !percent.is_finite() => UNKNOWN.to_owned(),
        percent if percent <= 0.0 => "0 %".to_owned(),
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent if percent < 9.95 => format!("{} %", trimmed(percent)),
        percent if percent >= 100.0 => format!("{} %", whole(percent)),
        percent if percent > 99.9 => ">99.9 %".to_owned(),
        percent if percent > 99.0 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// With one decimal, or none where that is 0: `1.5`, `2`.
pub(super) fn trimmed(value: f64) -> String {
    if !value.is_finite() || value >= 100.0 {
        return whole(value);
    }
    let text = format!("{:.1}", value.max(0.0));
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// For an axis: `0.01`, `2.5`, `1,000`, `20,000`, `1.2 M`.
pub(super) fn on_axis(value: f64) -> String {
    const MILLION: f64 = 1e6;
    match value {
        value if !value.is_finite() => UNKNOWN.to_owned(),
        value if value <= 0.0 => "0".to_owned(),
        value if !(1e-6..1e15).contains(&value) => format!("{value:.0e}"),
        value if value >= 1e12 => format!("{} T", trimmed(value / 1e12)),
        value if value >= 1e9 => format!("{} G", trimmed(value / 1e9)),
        value if value >= MILLION => format!("{} M", trimmed(value / MILLION)),
        value if value >= 100.0 => whole(value),
        value => {
            // Six decimals are enough for what is left, and no digit of a tick is beyond.
            let text = format!("{value:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// What two positive figures are to each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    /// They differ by less than 10 %.
    Same,
    /// The first is so many times the second.
    First(f64),
    /// The second is so many times the first.
    Second(f64),
}

/// `None` where one is not a positive number, since then neither is their ratio.
pub(super) fn compare(first: f64, second: f64) -> Option<Comparison> {
    const SAME_BELOW: f64 = 1.1;
    let positive = |value: f64| value.is_finite() && value > 0.0;
    if !positive(first) || !positive(second) {
        return None;
    }
    let ratio = first / second;
    if ratio.max(1.0 / ratio) < SAME_BELOW {
        Some(Comparison::Same)
    } else if ratio > 1.0 {
        Some(Comparison::First(ratio))
    } else {
        Some(Comparison::Second(1.0 / ratio))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_with_as_many_digits_as_mean_something() {
        let three = [0.0, 0.0001, 0.0424, 0.9999, 1.834, 18.34, 99.99, 12_345.6];
        let written = three.map(three_digits);
        let expected = [
            "0", "<0.001", "0.042", "1.00", "1.83", "18.3", "100", "12,346",
        ];
        assert_eq!(written, expected);
        let times = [0.042, 0.42, 1.84, 24.4, 999.9, 6_200.0, 120_000.0];
        let expected = [
            "0.042 ms", "0.42 ms", "1.8 ms", "24 ms", "1.0 s", "6.2 s", "120 s",
        ];
        assert_eq!(times.map(milliseconds), expected);
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(24 << 20), "24.0 MiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        let shares = [0.0, 0.0001, 0.015, 0.5, 0.994, 0.9999, 1.0];
        let expected = [
            "0 %", "<0.1 %", "1.5 %", "50 %", "99.4 %", ">99.9 %", "100 %",
        ];
        assert_eq!(shares.map(percent), expected);
        let ticks = [0.0, 0.01, 2.5, 50.0, 20_000.0, 1.2e6, 3e9];
        let expected = ["0", "0.01", "2.5", "50", "20,000", "1.2 M", "3 G"];
        assert_eq!(ticks.map(on_axis), expected);
    }

    #[test]
    fn what_is_no_number_is_written_as_unknown() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(three_digits(value), UNKNOWN);
            assert_eq!(milliseconds(value), format!("{UNKNOWN} ms"));
            assert_eq!(moment(value), UNKNOWN);
            assert_eq!(percent(value), UNKNOWN);
            assert_eq!(on_axis(value), UNKNOWN);
        }
    }

    #[test]
    fn less_than_a_tenth_apart_is_the_same() {
        assert_eq!(compare(109.0, 100.0), Some(Comparison::Same));
        assert_eq!(compare(100.0, 109.0), Some(Comparison::Same));
        assert_eq!(compare(200.0, 100.0), Some(Comparison::First(2.0)));
        assert_eq!(compare(100.0, 400.0), Some(Comparison::Second(4.0)));
        assert_eq!(compare(0.0, 1.0), None);
        assert_eq!(compare(1.0, f64::NAN), None);
    }
}
