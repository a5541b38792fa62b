//! The times as a picture for the README: bars on a logarithmic scale, readable on light and on dark pages.

use super::figures::seconds;
use std::fmt::Write as _;

/// A bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bar {
    /// The program.
    pub(super) program: &'static str,
    /// Whether it is ours.
    pub(super) is_ours: bool,
    /// What it took.
    pub(super) seconds: f64,
}

/// The left end of the scale, in seconds.
const LEAST_SECONDS: f64 = 0.05;
/// Powers of ten on the scale.
const TICKS: [(f64, &str); 5] =
    [(0.1, "0.1 s"), (1.0, "1 s"), (10.0, "10 s"), (100.0, "100 s"), (1000.0, "1000 s")];
const BARS_X: f64 = 150.0;
const DECADE_PIXELS: f64 = 120.0;
const BAR_PIXELS: f64 = 13.0;
const TOP_PIXELS: f64 = 44.0;
const WIDTH_PIXELS: f64 = 860.0;

/// Returns the picture: a group of bars for each guest.
pub(super) fn svg(groups: &[(String, Vec<Bar>)]) -> String {
    let mut shapes = String::new();
    let mut y = TOP_PIXELS;
    for (guest, bars) in groups {
        // Writing to a String cannot fail, here and below.
        let _written = writeln!(shapes, r#"<text class="guest" x="4" y="{:.0}">{guest}</text>"#, y + 10.0);
        for bar in bars {
            let (end, class) = (x(bar.seconds), if bar.is_ours { "ours" } else { "theirs" });
            let (width, height, baseline) = (end - BARS_X, BAR_PIXELS - 3.0, y + 9.0);
            let _written = writeln!(
                shapes,
                r#"<rect class="{class}" x="{BARS_X}" y="{y:.0}" width="{width:.1}" height="{height}"/><text x="{:.1}" y="{baseline:.0}">{} {}</text>"#,
                end + 5.0,
                bar.program,
                seconds(bar.seconds)
            );
            y += BAR_PIXELS;
        }
        y += 9.0;
    }
    let mut scale = String::new();
    for (at, label) in TICKS {
        let at = x(at);
        let _written = writeln!(
            scale,
            r#"<line x1="{at:.1}" y1="34" x2="{at:.1}" y2="{y:.0}"/><text x="{:.1}" y="30">{label}</text>"#,
            at - 12.0
        );
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH_PIXELS} {y:.0}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <title>guestconv beside virt-inspector and virt-v2v-in-place: time on a logarithmic scale</title>\n\
         <style>{STYLE}</style>\n\
         <text class=\"guest\" x=\"4\" y=\"14\">Time, on a logarithmic scale: each mark is ten times the one before</text>\n\
         {scale}{shapes}</svg>\n"
    )
}

const STYLE: &str = "text{fill:#333}.guest{font-weight:bold}line{stroke:#ccc}.ours{fill:#1a7f37}.theirs{fill:#999}\
@media(prefers-color-scheme:dark){text{fill:#ddd}line{stroke:#444}.ours{fill:#3fb950}.theirs{fill:#777}}";

/// Returns where a time is.
fn x(seconds: f64) -> f64 {
    BARS_X + DECADE_PIXELS * (seconds.max(LEAST_SECONDS) / LEAST_SECONDS).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_the_logarithm_of_its_time() {
        let bars = vec![
            Bar { program: "inspect", is_ours: true, seconds: 0.5 },
            Bar { program: "virt-inspector", is_ours: false, seconds: 50.0 },
        ];
        let picture = svg(&[("one".to_owned(), bars)]);
        let lines: Vec<&str> = picture.lines().filter(|line| line.contains("<rect")).collect();
        assert_eq!(
            lines,
            [
                r#"<rect class="ours" x="150" y="44" width="120.0" height="10"/><text x="275.0" y="53">inspect 0.500 s</text>"#,
                r#"<rect class="theirs" x="150" y="57" width="360.0" height="10"/><text x="515.0" y="66">virt-inspector 50.00 s</text>"#,
            ]
        );
        assert!(picture.contains("viewBox=\"0 0 860 79\""), "{picture}");
    }
}
