//! Tests: everything that fuzzing found, and a small corpus of each target, on stable.

use super::*;
use std::fs;
use std::path::Path;

type Door = fn(&[u8]);

/// The targets of `fuzz/`, and their doors.
const TARGETS: &[(&str, Door)] = &[
    ("description", description),
    ("documents", documents),
    ("image", image),
    ("map", map),
    ("proof", proof),
    ("reply", reply),
    ("request", request),
];

#[test]
fn the_corpus_does_no_harm() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut bytes = 0;
    let mut names: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, target) in TARGETS {
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let input = fs::read(&path).unwrap();
            bytes += input.len();
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(outcome.is_ok(), "{}", path.display());
        }
    }
    assert!(bytes < 1 << 20, "the corpus is small: {bytes} bytes");
}
