//! `schemas`: the JSON schemas of the documents that the command line writes, made from their types, in `docs/schemas`.
//!
//! `guestconv schema` prints these files, so for a new document make an empty one first: then this can be built.

use crate::checkout;
use crate::published::{self, Made};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// The task: writes each schema that has changed and prints its file.
pub(crate) fn task(_: &[String]) -> Result<()> {
    published::write(&made()?)
}

fn directory() -> PathBuf {
    checkout().join("docs/schemas")
}

fn made() -> Result<Vec<Made>> {
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
        published::assert_current(&directory(), &made().unwrap(), "schemas");
    }
}
