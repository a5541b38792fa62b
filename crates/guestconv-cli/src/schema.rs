//! `guestconv schema`: the schemas of the documents, as they are published in `docs/`.

use crate::arguments::{self, Document};
use crate::failure::{DONE, Done};
use crate::output::Output;

/// Writes a schema.
pub(crate) fn run(arguments: &arguments::Schema, output: &mut Output) -> Done {
    output.text(match arguments.document {
        Document::DescriptionXml => include_str!("../../../docs/guestconv.rng"),
    })?;
    Ok(DONE)
}
