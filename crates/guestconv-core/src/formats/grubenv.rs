//! GRUB's environment block: `grubenv`, read by `load_env` and written in place by `save_env`, so its size never changes:
//! a comment, `name=value` lines, padded with `#` to a multiple of 1024 bytes (grub-core/lib/envblk.c).

const HEADER: &str = "# GRUB Environment Block\n";

/// Returns the variables in order.
pub fn variables(text: &str) -> Vec<(String, String)> {
    body(text)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), unescaped(value)))
        .collect()
}

/// Returns the block in which `name` has that value; `None` if it is no whole block or the value does not fit.
pub fn with_value(text: &str, name: &str, new: &str) -> Option<String> {
    if !text.starts_with(HEADER) || !text.len().is_multiple_of(1024) {
        return None;
    }
    let line = format!("{name}={}\n", new.replace('\\', "\\\\").replace('\n', "\\\n"));
    let mut found = false;
    let mut block = String::with_capacity(text.len());
    for old in body(text).split_inclusive('\n') {
        let same = old.split_once('=').is_some_and(|(key, _)| key == name);
        found |= same;
        block.push_str(if same { &line } else { old });
    }
    if !found {
        block.push_str(&line);
    }
    let padding = text.len().checked_sub(block.len())?;
    block.extend(std::iter::repeat_n('#', padding));
    Some(block)
}

/// Returns the block without its padding, which begins at the start of a line.
fn body(text: &str) -> &str {
    let kept = text.trim_end_matches('#');
    if kept.is_empty() || kept.ends_with('\n') { kept } else { text }
}

fn unescaped(value: &str) -> String {
    let mut result = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        result.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(body: &str) -> String {
        let mut text = format!("{HEADER}{body}");
        text.extend(std::iter::repeat_n('#', 1024 - text.len()));
        text
    }

    #[test]
    fn the_block_keeps_its_size() {
        let text = block("# WARNING\nkernelopts=root=/dev/sda1 ro \nsaved_entry=x\\\\y\n");
        let row = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(variables(&text), [row("kernelopts", "root=/dev/sda1 ro "), row("saved_entry", "x\\y")]);
        assert_eq!(
            with_value(&text, "kernelopts", "root=UUID=1 ro"),
            Some(block("# WARNING\nkernelopts=root=UUID=1 ro\nsaved_entry=x\\\\y\n"))
        );
        assert_eq!(with_value(&block(""), "a", "b"), Some(block("a=b\n")));
        assert_eq!(with_value(&text, "kernelopts", &"x".repeat(1000)), None);
        assert_eq!(with_value("a=b\n", "a", "c"), None);
    }
}
