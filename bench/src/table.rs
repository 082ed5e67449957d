//! Markdown tables, and numbers as people read them.
//!
//! Rows are printed as soon as they are known, so that a long run shows where it is. Every number has
//! its unit and no more digits than the measurement is worth.

use std::time::Duration;

/// A table under a heading, printed row by row as results come in.
pub(crate) struct Table;

impl Table {
    /// Prints the heading and the column names.
    pub(crate) fn begin(title: &str, columns: &[&str]) -> Self {
        println!("\n### {title}\n");
        println!("| {} |", columns.join(" | "));
        println!("|{}", "---|".repeat(columns.len()));
        Table
    }

    /// Prints one row.
    pub(crate) fn row<const N: usize>(&self, cells: &[String; N]) {
        println!("| {} |", cells.join(" | "));
    }
}

/// `12.3 µs`, `4.56 ms`, `7.89 s`: three digits that matter.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        _ if seconds >= 1.0 => format!("{} s", digits(seconds)),
        _ if seconds >= 1e-3 => format!("{} ms", digits(seconds * 1e3)),
        _ => format!("{} µs", digits(seconds * 1e6)),
    }
}

/// Three digits that matter.
pub(crate) fn digits(value: f64) -> String {
    match value {
        _ if value >= 99.95 => format!("{value:.0}"),
        _ if value >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// `1 234 567`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits")).collect();
    groups.join(" ")
}

/// `123 MB`, in powers of ten.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{} MB", digits(bytes as f64 / 1e6))
}

/// `2.34 M/s`: how many things happened in a time.
pub(crate) fn rate(things: u64, time: Duration) -> String {
    let per_second = things as f64 / time.as_secs_f64().max(1e-9);
    if per_second >= 1e6 {
        format!("{} M/s", digits(per_second / 1e6))
    } else {
        format!("{} k/s", digits(per_second / 1e3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(time(Duration::from_nanos(12_340)), "12.3 µs");
        assert_eq!(time(Duration::from_micros(1234)), "1.23 ms");
        assert_eq!(time(Duration::from_secs(100)), "100 s");
        assert_eq!(count(1_234_567), "1 234 567");
        assert_eq!(count(12), "12");
        assert_eq!(rate(3_000_000, Duration::from_secs(2)), "1.50 M/s");
    }
}
