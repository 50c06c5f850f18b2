//! Numbers as people read them, in few characters.

/// Of which there is a whole number.
pub fn count(number: f64) -> String {
    // The sum of nothing is -0.0.
    match number + 0.0 {
        n if n < 100_000.0 => format!("{n:.0}"),
        n if n < 10_000_000.0 => format!("{:.0}k", n / 1e3),
        n => format!("{:.0}M", n / 1e6),
    }
}

/// Each second.
pub fn rate(per_second: Option<f64>) -> String {
    match per_second {
        None => "-".to_owned(),
        Some(n) if n > 0.0 && n < 10.0 => format!("{n:.1}"),
        Some(n) => count(n),
    }
}

pub fn seconds(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(s) if s < 0.1 => format!("{:.1} ms", s * 1e3),
        Some(s) if s < 1.0 => format!("{:.0} ms", s * 1e3),
        Some(s) => format!("{s:.1} s"),
    }
}

pub fn memory(bytes: f64) -> String {
    let mib = bytes / (1024.0 * 1024.0);
    if mib < 10_000.0 { format!("{mib:.0} MiB") } else { format!("{:.0} GiB", mib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_short() {
        assert_eq!([-0.0, 99_999.0, 123_456.0, 12_345_678.0].map(count), ["0", "99999", "123k", "12M"]);
        assert_eq!([None, Some(0.0), Some(0.25), Some(12.3)].map(rate), ["-", "0", "0.2", "12"]);
        assert_eq!(
            [None, Some(0.0031), Some(0.25), Some(2.5)].map(seconds),
            ["-", "3.1 ms", "250 ms", "2.5 s"]
        );
        assert_eq!([52_428_800.0, 2e11].map(memory), ["50 MiB", "186 GiB"]);
    }
}
