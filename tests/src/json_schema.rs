//! Holds JSON documents against the schemas of `docs/schemas`, so that the published schemas and the program cannot part.
//!
//! It knows the keywords that our schemas have; a crate for all of JSON Schema would bring sixty others into every build.
//! A keyword that it does not know is a fault, so none is passed over.

use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// Keywords that say something to readers and nothing about a document.
const ANNOTATIONS: [&str; 6] = ["$schema", "$defs", "title", "description", "default", "format"];

/// Asserts that a document is as the published schema of that name says.
///
/// # Panics
/// If it is not, with each place and what is wrong there; or if there is no such schema.
pub fn assert_valid(name: &str, document: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/schemas/{name}.json"));
    let schema = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let faults = faults(&serde_json::from_str(&schema).unwrap(), document);
    assert!(faults.is_empty(), "docs/schemas/{name}.json refuses this:\n{}", faults.join("\n"));
}

/// Returns where a document is not as the schema says, and why; empty if it is.
pub fn faults(schema: &Value, document: &Value) -> Vec<String> {
    let mut check = Check { root: schema, faults: Vec::new() };
    check.value(schema, document, "");
    check.faults
}

struct Check<'a> {
    root: &'a Value,
    faults: Vec<String>,
}

impl Check<'_> {
    fn value(&mut self, schema: &Value, value: &Value, place: &str) {
        match schema {
            Value::Bool(true) => {}
            Value::Object(keywords) => {
                for (keyword, wanted) in keywords {
                    self.keyword(keywords, keyword, wanted, value, place);
                }
            }
            _ => self.fault(place, "nothing may be here"),
        }
    }

    fn keyword(
        &mut self,
        all: &Map<String, Value>,
        keyword: &str,
        wanted: &Value,
        value: &Value,
        place: &str,
    ) {
        match keyword {
            "$ref" => {
                let target = wanted.as_str().and_then(|text| self.root.pointer(text.strip_prefix('#')?));
                match target.cloned() {
                    Some(target) => self.value(&target, value, place),
                    None => self.fault(place, &format!("the schema has no {wanted}")),
                }
            }
            "type" => {
                let is_it = |name: &Value| name.as_str().is_some_and(|name| is_of(name, value));
                let is_any = wanted.as_array().map_or_else(|| is_it(wanted), |names| names.iter().any(is_it));
                self.require(is_any, place, || format!("{} is no {wanted}", short(value)));
            }
            "const" => self.require(value == wanted, place, || format!("{} is not {wanted}", short(value))),
            "enum" => {
                let is_one = wanted.as_array().is_some_and(|values| values.contains(value));
                self.require(is_one, place, || format!("{} is none of {wanted}", short(value)));
            }
            "minimum" | "maximum" => {
                let (Some(is), Some(bound)) = (value.as_f64(), wanted.as_f64()) else { return };
                let holds = if keyword == "minimum" { is >= bound } else { is <= bound };
                self.require(holds, place, || format!("{is} is beyond the {keyword} {bound}"));
            }
            "minItems" | "maxItems" => {
                let (Some(items), Some(bound)) = (value.as_array(), wanted.as_u64()) else { return };
                let count = u64::try_from(items.len()).unwrap();
                let holds = if keyword == "minItems" { count >= bound } else { count <= bound };
                self.require(holds, place, || format!("{count} items are beyond {keyword} {bound}"));
            }
            "prefixItems" => {
                let pairs =
                    wanted.as_array().into_iter().flatten().zip(value.as_array().into_iter().flatten());
                for (at, (schema, item)) in pairs.enumerate() {
                    self.value(schema, item, &format!("{place}/{at}"));
                }
            }
            "items" => {
                let begins = all.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
                for (at, item) in value.as_array().into_iter().flatten().enumerate().skip(begins) {
                    self.value(wanted, item, &format!("{place}/{at}"));
                }
            }
            "required" => {
                let Some(members) = value.as_object() else { return };
                for name in wanted.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    self.require(members.contains_key(name), place, || format!("{name} is missing"));
                }
            }
            "properties" => {
                for (name, schema) in wanted.as_object().into_iter().flatten() {
                    if let Some(member) = value.get(name) {
                        self.value(schema, member, &format!("{place}/{name}"));
                    }
                }
            }
            "additionalProperties" => {
                let named = |name: &str| all.get("properties").is_some_and(|named| named.get(name).is_some());
                for (name, member) in value.as_object().into_iter().flatten().filter(|(name, _)| !named(name))
                {
                    self.value(wanted, member, &format!("{place}/{name}"));
                }
            }
            "anyOf" | "oneOf" => {
                let branches = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
                let tried: Vec<Vec<String>> =
                    branches.iter().map(|schema| self.tried(schema, value, place)).collect();
                let matching = tried.iter().filter(|faults| faults.is_empty()).count();
                if matching == 0 {
                    // Of the branches, the nearest says best what is wrong.
                    self.fault(place, &format!("{} is none of {keyword}", short(value)));
                    self.faults.extend(tried.into_iter().min_by_key(Vec::len).unwrap_or_default());
                }
                let is_many = keyword == "oneOf" && matching > 1;
                self.require(!is_many, place, || format!("{matching} of oneOf match"));
            }
            annotation if ANNOTATIONS.contains(&annotation) => {}
            unknown => self.fault(place, &format!("the keyword {unknown} is not known here")),
        }
    }

    fn tried(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let mut check = Check { root: self.root, faults: Vec::new() };
        check.value(schema, value, place);
        check.faults
    }

    fn require(&mut self, holds: bool, place: &str, fault: impl FnOnce() -> String) {
        if !holds {
            self.fault(place, &fault());
        }
    }

    fn fault(&mut self, place: &str, fault: &str) {
        self.faults.push(format!("{place}: {fault}"));
    }
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

/// Returns the beginning of a value.
fn short(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_keyword_lets_pass_and_refuses() {
        for (schema, good, bad, fault) in [
            (json!(true), Some(json!(1)), None, ""),
            (json!(false), None, Some(json!(1)), ": nothing may be here"),
            (json!({ "type": "string" }), Some(json!("a")), Some(json!(1)), ": 1 is no \"string\""),
            (
                json!({ "type": ["integer", "null"] }),
                Some(json!(null)),
                Some(json!(1.5)),
                ": 1.5 is no [\"integer\",\"null\"]",
            ),
            (json!({ "const": 1 }), Some(json!(1)), Some(json!(2)), ": 2 is not 1"),
            (
                json!({ "enum": ["a", "b"] }),
                Some(json!("b")),
                Some(json!("c")),
                ": \"c\" is none of [\"a\",\"b\"]",
            ),
            (json!({ "minimum": 0 }), Some(json!(0)), Some(json!(-1)), ": -1 is beyond the minimum 0"),
            (json!({ "maximum": 9 }), Some(json!(9)), Some(json!(10)), ": 10 is beyond the maximum 9"),
            (json!({ "minItems": 1 }), Some(json!([1])), Some(json!([])), ": 0 items are beyond minItems 1"),
            (
                json!({ "maxItems": 1 }),
                Some(json!([1])),
                Some(json!([1, 2])),
                ": 2 items are beyond maxItems 1",
            ),
            (
                json!({ "prefixItems": [{ "type": "string" }], "items": { "type": "null" } }),
                Some(json!(["a", null])),
                Some(json!(["a", 1])),
                "/1: 1 is no \"null\"",
            ),
            (
                json!({ "prefixItems": [{ "type": "string" }] }),
                Some(json!(["a", 1])),
                Some(json!([1, 1])),
                "/0: 1 is no \"string\"",
            ),
            (json!({ "required": ["a"] }), Some(json!({ "a": 1 })), Some(json!({})), ": a is missing"),
            (
                json!({ "properties": { "a": { "type": "null" } }, "additionalProperties": false }),
                Some(json!({ "a": null })),
                Some(json!({ "a": null, "b": null })),
                "/b: nothing may be here",
            ),
            (
                json!({ "$ref": "#/$defs/a", "$defs": { "a": { "items": { "type": "null" } } } }),
                Some(json!([null])),
                Some(json!([null, true])),
                "/1: true is no \"null\"",
            ),
            (json!({ "$ref": "#/$defs/b" }), None, Some(json!(1)), ": the schema has no \"#/$defs/b\""),
            (json!({ "oneOf": [true, true] }), None, Some(json!(1)), ": 2 of oneOf match"),
            (json!({ "pattern": "a" }), None, Some(json!("a")), ": the keyword pattern is not known here"),
        ] {
            if let Some(good) = good {
                assert_eq!(faults(&schema, &good), Vec::<String>::new(), "{schema}");
            }
            if let Some(bad) = bad {
                assert_eq!(faults(&schema, &bad), [fault], "{schema}");
            }
        }
        let either = json!({ "anyOf": [{ "type": "null" }, { "required": ["a", "b"], "type": "object" }] });
        assert_eq!(faults(&either, &json!(null)), Vec::<String>::new());
        let expected = [": {\"b\":1} is none of anyOf", ": {\"b\":1} is no \"null\""];
        assert_eq!(faults(&either, &json!({ "b": 1 })), expected);
    }
}
