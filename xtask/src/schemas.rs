//! `schemas`: the JSON schemas of the documents that the command line writes, made from their types, in `docs/schemas`.
//!
//! `guestconv schema` prints these files, so for a new document make an empty one first: then this can be built.

use crate::checkout;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// The task: writes each schema that has changed and prints its file.
pub(crate) fn task(_: &[String]) -> Result<()> {
    for (path, text) in made()? {
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        fs::create_dir_all(directory()).context("cannot make docs/schemas")?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

fn directory() -> PathBuf {
    checkout().join("docs/schemas")
}

/// Returns the file of each schema and what it must hold.
fn made() -> Result<Vec<(PathBuf, String)>> {
    let file = |(name, schema): (&str, serde_json::Value)| {
        let text = serde_json::to_string_pretty(&schema).context("a schema is JSON")?;
        Ok((directory().join(format!("{name}.json")), format!("{text}\n")))
    };
    guestconv_cli::schemas().into_iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schemas_are_those_of_the_types() {
        let made = made().unwrap();
        for (path, text) in &made {
            let published = fs::read_to_string(path).unwrap_or_default();
            assert!(published == *text, "{} is out of date; run: cargo xtask schemas", path.display());
        }
        let mut files: Vec<PathBuf> =
            fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let mut expected: Vec<PathBuf> = made.into_iter().map(|(path, _)| path).collect();
        files.sort();
        expected.sort();
        assert_eq!(files, expected, "docs/schemas holds the schemas and nothing else");
    }
}
