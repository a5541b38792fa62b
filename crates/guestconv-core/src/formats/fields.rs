//! Lines of fields between white space, with the place of each field in the text: fstab, crypttab, BLS entries.
//! Who edits replaces the bytes of one field and leaves everything else, columns and comments included.

use std::ops::Range;

/// A field and where it is in the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The bytes as they are in the file.
    pub text: &'a str,
    /// Their place in the whole text.
    pub range: Range<usize>,
}

/// Returns the lines of a text with the place where each begins; line ends stay with the lines.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    })
}

/// Returns the fields of a line that begins at `start`; none for an empty line or a comment.
pub fn fields(start: usize, line: &str) -> Vec<Field<'_>> {
    if line.trim_start().starts_with('#') {
        return Vec::new();
    }
    let base = line.as_ptr() as usize;
    line.split_ascii_whitespace()
        .map(|text| {
            let at = start + (text.as_ptr() as usize - base);
            Field { text, range: at..at + text.len() }
        })
        .collect()
}

/// Returns `text` with the given places replaced. Places must be in order and must not overlap; others are left out.
pub fn replaced(text: &str, edits: &[(Range<usize>, String)]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in edits {
        let Some(kept) = text.get(at..range.start) else { continue };
        result.push_str(kept);
        result.push_str(new);
        at = range.end;
    }
    result.push_str(text.get(at..).unwrap_or(""));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_know_their_place_and_the_rest_stays() {
        let text = "# c\n a\tb  \r\nlast one";
        let all: Vec<_> = lines(text).map(|(at, line)| fields(at, line)).collect();
        assert_eq!(
            all,
            [
                vec![],
                vec![Field { text: "a", range: 5..6 }, Field { text: "b", range: 7..8 }],
                vec![Field { text: "last", range: 12..16 }, Field { text: "one", range: 17..20 }],
            ]
        );
        assert_eq!(replaced(text, &[(7..8, "BB".into()), (17..20, "1".into())]), "# c\n a\tBB  \r\nlast 1");
        assert_eq!(replaced(text, &[]), text);
    }
}
