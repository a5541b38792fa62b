//! Figures of several runs, and how a person reads them.

use std::cmp::Ordering;

/// The middle and the ends of the figures of several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// The smallest.
    pub(super) min: f64,
    /// The one in the middle; of an even number of figures, the mean of the two there.
    pub(super) median: f64,
    /// The largest.
    pub(super) max: f64,
}

impl Spread {
    /// Returns the spread of the figures; `None` if there are none.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
        let middle = figures.len() / 2;
        let upper = *figures.get(middle)?;
        let lower = if figures.len() % 2 == 1 { upper } else { *figures.get(middle.checked_sub(1)?)? };
        Some(Spread { min: *figures.first()?, median: f64::midpoint(lower, upper), max: *figures.last()? })
    }
}

/// Returns the seconds with three digits or two decimals, whichever says more: `0.089 s`, `3.20 s`, `271 s`.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        ..0.9995 => format!("{seconds:.3} s"),
        0.9995..99.95 => format!("{seconds:.2} s"),
        _ => format!("{seconds:.0} s"),
    }
}

/// Returns the middle, and the ends if there are any: `0.30 s (0.29–0.33)`.
pub(super) fn spread(spread: &Spread) -> String {
    let middle = seconds(spread.median);
    if spread.min >= spread.max {
        return middle;
    }
    let bare = |figure| seconds(figure).trim_end_matches(" s").to_owned();
    format!("{middle} ({}–{})", bare(spread.min), bare(spread.max))
}

/// Returns the seconds in milliseconds: `12.3`.
pub(super) fn milliseconds(seconds: f64) -> String {
    format!("{:.1}", seconds * 1000.0)
}

/// Returns the bytes in MiB: `38.2 MiB`.
#[expect(clippy::cast_precision_loss, reason = "it is rounded far above")]
pub(super) fn mib(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 99.95 { format!("{mib:.1} MiB") } else { format!("{mib:.0} MiB") }
}

/// Returns how many times longer the peer took: `×412`, `×3.4`.
pub(super) fn ratio(peer_seconds: f64, our_seconds: f64) -> String {
    let ratio = peer_seconds / our_seconds;
    if ratio < 9.95 { format!("×{ratio:.1}") } else { format!("×{ratio:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_median() {
        for (figures, expected) in [
            (vec![], None),
            (vec![3.0], Some(Spread { min: 3.0, median: 3.0, max: 3.0 })),
            (vec![3.0, 1.0], Some(Spread { min: 1.0, median: 2.0, max: 3.0 })),
            (vec![9.0, 1.0, 2.0, 8.0, 3.0], Some(Spread { min: 1.0, median: 3.0, max: 9.0 })),
        ] {
            assert_eq!(Spread::of(figures.clone()), expected, "{figures:?}");
        }
    }

    #[test]
    fn figures_have_the_digits_that_say_something() {
        for (figure, expected) in [
            (0.0889, "0.089 s"),
            (0.9994, "0.999 s"),
            (0.9996, "1.00 s"),
            (31.456, "31.46 s"),
            (99.96, "100 s"),
            (271.4, "271 s"),
        ] {
            assert_eq!(seconds(figure), expected, "{figure}");
        }
        assert_eq!(spread(&Spread { min: 0.25, median: 0.3, max: 0.5 }), "0.300 s (0.250–0.500)");
        assert_eq!(spread(&Spread { min: 271.0, median: 271.0, max: 271.0 }), "271 s");
        assert_eq!(milliseconds(0.01234), "12.3");
        assert_eq!([mib(0), mib(1_572_864), mib(300 << 20)], ["0.0 MiB", "1.5 MiB", "300 MiB"]);
        assert_eq!([ratio(1.0, 0.5), ratio(99.6, 10.0), ratio(250.0, 0.5)], ["×2.0", "×10", "×500"]);
    }
}
