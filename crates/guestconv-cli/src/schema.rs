//! `guestconv schema`: the schemas of the documents, as they are published in `docs/`.
//!
//! Those of JSON documents are made from the types: [`schemas`], which `cargo xtask schemas` writes to `docs/schemas/`.

use crate::arguments::{self, Document};
use crate::failure::{DONE, Done};
use crate::output::Output;

/// Writes a schema.
pub(crate) fn run(arguments: &arguments::Schema, output: &mut Output) -> Done {
    output.text(match arguments.document {
        Document::DescriptionXml => include_str!("../../../docs/guestconv.rng"),
        Document::Description => include_str!("../../../docs/schemas/description.json"),
        Document::Facts => include_str!("../../../docs/schemas/facts.json"),
        Document::Plan => include_str!("../../../docs/schemas/plan.json"),
        Document::Outcome => include_str!("../../../docs/schemas/outcome.json"),
        Document::Report => include_str!("../../../docs/schemas/report.json"),
        Document::Record => include_str!("../../../docs/schemas/record.json"),
        Document::Recovery => include_str!("../../../docs/schemas/recovery.json"),
        Document::Proof => include_str!("../../../docs/schemas/proof.json"),
        Document::Targets => include_str!("../../../docs/schemas/targets.json"),
        Document::Event => include_str!("../../../docs/schemas/event.json"),
        Document::Error => include_str!("../../../docs/schemas/error.json"),
    })?;
    Ok(DONE)
}

/// Returns the schema of each JSON document that the command line writes, by the document's name.
#[cfg(feature = "schema")]
pub fn schemas() -> Vec<(&'static str, serde_json::Value)> {
    use guestconv::core::{description, facts, knowledge, plan, report};
    use schemars::{JsonSchema, generate::SchemaSettings};

    fn schema<T: JsonSchema>() -> serde_json::Value {
        // As we write them: a field that is always there is required.
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut schema = generator.into_root_schema_for::<T>().to_value();
        without_links(&mut schema);
        schema
    }

    vec![
        ("description", schema::<description::Description>()),
        ("facts", schema::<facts::Facts>()),
        ("plan", schema::<plan::Plan>()),
        ("outcome", schema::<report::Outcome>()),
        ("report", schema::<report::Report>()),
        ("record", schema::<guestconv::core::record::Record>()),
        ("recovery", schema::<guestconv::Recovery>()),
        ("proof", schema::<guestconv::prove::Proof>()),
        ("targets", schema::<Vec<knowledge::Target>>()),
        ("event", schema::<crate::event::EventDocument<'_>>()),
        ("error", schema::<crate::failure::ErrorDocument<'_>>()),
    ]
}

/// Rewrites what the Rust documentation says for readers without it: links are names, `None` is null, and text is not
/// broken into lines.
#[cfg(feature = "schema")]
fn without_links(schema: &mut serde_json::Value) {
    use serde_json::Value;
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "description" => {
                        *text = text
                            .replace("[`", "`")
                            .replace("`]", "`")
                            .replace('\n', " ")
                            .replace("`None`", "null");
                    }
                    value => without_links(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(without_links),
        _ => {}
    }
}
