//! The order of versions of kernels and boot entries: numbers by value, letters by alphabet, `~` before all else. This is
//! how rpm and GRUB's blscfg sort, and near enough to the others.

use std::cmp::Ordering;

/// Returns which of two versions is the later one.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (parts(left), parts(right));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            // What goes on is later, unless it goes on with a tilde: 6.1 is after 6.1~rc1.
            (Some(rest), None) => return if rest == "~" { Ordering::Less } else { Ordering::Greater },
            (None, Some(rest)) => return if rest == "~" { Ordering::Greater } else { Ordering::Less },
            (Some(left), Some(right)) => of_parts(left, right),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Splits a version into runs of digits, runs of letters and tildes; all else only separates.
fn parts(version: &str) -> impl Iterator<Item = &str> {
    let mut rest = version;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '~');
        let first = rest.chars().next()?;
        let len = match first {
            '~' => 1,
            first => rest
                .find(|c: char| !c.is_ascii_alphanumeric() || c.is_ascii_digit() != first.is_ascii_digit())
                .unwrap_or(rest.len()),
        };
        let (part, tail) = rest.split_at(len);
        rest = tail;
        Some(part)
    })
}

fn of_parts(left: &str, right: &str) -> Ordering {
    let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    match (left == "~", right == "~") {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        (false, false) => {}
    }
    match (is_number(left), is_number(right)) {
        (true, true) => {
            let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
            left.len().cmp(&right.len()).then_with(|| left.cmp(right))
        }
        (left_number, right_number) => left_number.cmp(&right_number).then_with(|| left.cmp(right)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_versions_are_greater() {
        for (earlier, later) in [
            ("6.1.0-9-amd64", "6.1.0-41-amd64"),
            ("4.18.0-305.el8", "4.18.0-553.158.1.el8_10"),
            ("2.6.32-71.el6", "2.6.32-71.29.1.el6"),
            ("6.1~rc1", "6.1"),
            ("6.1", "6.1.1"),
            ("5.14.0-70", "5.14.0-503"),
            ("abc-0-rescue-1", "abc-5.14"),
            ("1.a", "1.1"),
        ] {
            assert_eq!(compare(earlier, later), Ordering::Less, "{earlier} {later}");
            assert_eq!(compare(later, earlier), Ordering::Greater, "{later} {earlier}");
            assert_eq!(compare(later, later), Ordering::Equal);
        }
    }
}
