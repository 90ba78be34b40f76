//! Figures as people read them. None of these writes `NaN` or `inf`, whatever it is given.

/// What stands where nothing is known.
pub(super) const UNKNOWN: &str = "–";

/// `12,345`.
pub(super) fn count(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    // The cast saturates.
    let digits = (value.max(0.0).round() as u64).to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
        value => count(value),
    }
}

/// A time in the unit that suits it: `0.42 ms`, `24 ms`, `6.2 s`.
pub(super) fn milliseconds(value_ms: f64) -> String {
    match value_ms.is_finite() && value_ms >= 999.5 {
        true => format!("{} s", two_digits(value_ms / 1e3)),
        false => format!("{} ms", two_digits(value_ms)),
    }
}

/// The same of so many seconds.
pub(super) fn seconds(value_s: f64) -> String {
    milliseconds(value_s * 1e3)
}

/// `120 µs`.
pub(super) fn microseconds(value_us: f64) -> String {
    format!("{} µs", two_digits(value_us))
}

/// `12 MiB`, of bytes.
pub(super) fn mebibytes(value: f64) -> String {
    format!("{} MiB", two_digits(value / f64::from(1 << 20)))
}

/// `93 %`, of a share from 0 to 1. Only all of it is `100 %`, and only nothing `0 %`.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if !percent.is_finite() => UNKNOWN.to_owned(),
        percent if percent <= 0.0 => "0 %".to_owned(),
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent if percent >= 100.0 => "100 %".to_owned(),
        percent if percent > 99.9 => ">99.9 %".to_owned(),
        percent if !(9.95..=99.0).contains(&percent) => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_mean_something() {
        for (value, text) in [
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
            (-1.0, "0"),
            (0.0001, "<0.001"),
            (0.0424, "0.042"),
            (0.834, "0.83"),
            (1.84, "1.8"),
            (18.4, "18"),
            (12_345.6, "12,346"),
        ] {
            assert_eq!(two_digits(value), text);
        }
        for (value_ms, text) in [(0.42, "0.42 ms"), (999.4, "999 ms"), (6_240.0, "6.2 s")] {
            assert_eq!(milliseconds(value_ms), text);
        }
        assert_eq!(
            (seconds(0.024), microseconds(120.4)),
            ("24 ms".into(), "120 µs".into())
        );
        assert_eq!(mebibytes(38.6 * 1048576.0), "39 MiB");
    }

    #[test]
    fn only_all_is_a_hundred_percent_and_only_nothing_is_none() {
        for (share, text) in [
            (0.0, "0 %"),
            (0.000_01, "<0.1 %"),
            (0.0456, "4.6 %"),
            (0.5, "50 %"),
            (0.995, "99.5 %"),
            (0.999_99, ">99.9 %"),
            (1.0, "100 %"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(percent(share), text);
        }
    }
}
