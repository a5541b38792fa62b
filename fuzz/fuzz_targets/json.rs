//! Mutation of JSON as JSON: what is mutated as bytes is seldom read to its end.

use serde_json::{Value, json};

/// Changes a document in one to four places; a text that is no JSON is mutated as bytes.
pub(crate) fn mutated(data: &mut [u8], size: usize, max_size: usize, seed: u32, prefix: usize) -> usize {
    let mut random = Random(u64::from(seed) | 1 << 32);
    let parsed = data.get(prefix..size).and_then(|text| serde_json::from_slice::<Value>(text).ok());
    let (Some(mut document), false) = (parsed, random.below(8) == 0) else {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    };
    for _ in 0..=random.below(4) {
        let other = picked(&mut document, &mut random).map(|node| node.clone());
        if let Some(node) = picked(&mut document, &mut random) {
            change(node, other, &mut random);
        }
    }
    let text = document.to_string();
    match data.get_mut(prefix..prefix + text.len()) {
        Some(place) if prefix + text.len() <= max_size => {
            place.copy_from_slice(text.as_bytes());
            prefix + text.len()
        }
        _ => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
    }
}

fn picked<'a>(document: &'a mut Value, random: &mut Random) -> Option<&'a mut Value> {
    let all = nodes(document);
    let at = random.below(all.len());
    all.into_iter().nth(at)
}

/// Leaves of a document, and its branches that hold no more than leaves.
fn nodes(value: &mut Value) -> Vec<&mut Value> {
    let is_branch = match value {
        Value::Array(items) => items.len() > 1 || items.iter().any(Value::is_object),
        Value::Object(fields) => !fields.is_empty(),
        _ => false,
    };
    if !is_branch {
        return vec![value];
    }
    match value {
        Value::Array(items) => items.iter_mut().flat_map(nodes).collect(),
        Value::Object(fields) => fields.values_mut().flat_map(nodes).collect(),
        _ => Vec::new(),
    }
}

fn change(node: &mut Value, other: Option<Value>, random: &mut Random) {
    let numbers = [json!(0), json!(1), json!(511), json!(u64::MAX), json!(i64::MIN), json!(u32::MAX), json!(1u64 << 40)];
    let texts = [
        "", "/", "..", "/../../etc", "a/b", "\u{1b}[2J", "\n", "\0", "\u{202e}", "\u{fffe}", "{}", "%s", "sda", "/dev/sda1", "/dev/sdzz", "ext4",
        "<a>&", "]]>", "'", "\"", "-1", "UUID=", "root=/dev/sda1 ro", "linux", "x86_64", "/boot/grub/menu.lst", "eth0", "--- a", "timeout 0\ntitle a\n\tkernel /x",
    ];
    let picked = match random.below(10) {
        0 => other.clone(),
        1 => Some(Value::Null),
        2 => Some(json!([])),
        _ => None,
    };
    if let Some(picked) = picked {
        *node = picked;
        return;
    }
    match node {
        Value::Number(_) => *node = numbers[random.below(numbers.len())].clone(),
        Value::Bool(value) => *value = !*value,
        Value::String(text) => match random.below(6) {
            0 => text.push_str(texts[random.below(texts.len())]),
            1 => *text = text.repeat(2 + random.below(20)),
            2 => *text = text.chars().rev().collect(),
            3 => {
                let at = text.char_indices().map(|(at, _)| at).nth(random.below(text.len().max(1))).unwrap_or(0);
                text.insert_str(at, texts[random.below(texts.len())]);
            }
            4 => {
                let keep = random.below(text.len().max(1));
                *text = text.chars().take(keep).collect();
            }
            _ => *text = texts[random.below(texts.len())].to_owned(),
        },
        Value::Array(items) => {
            let copy = items.first().cloned().or(other).unwrap_or(Value::Null);
            items.extend(std::iter::repeat_n(copy, 1 + random.below(40)));
        }
        node => *node = json!(texts[random.below(texts.len())]),
    }
}

/// A linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit.max(1)
    }
}
