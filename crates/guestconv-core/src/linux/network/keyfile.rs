//! NetworkManager's keyfiles, nm-settings-keyfile(5): sections in brackets, `key=value`.

use super::{Interface, mac};

/// Returns the last value of a key in a section.
pub(super) fn value<'a>(text: &'a str, section: &str, key: &str) -> Option<&'a str> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name == section;
        } else if let Some((name, value)) = line.split_once('=')
            && inside
            && name.trim() == key
        {
            found = Some(value.trim());
        }
    }
    found
}

/// Returns the interface of a wired connection.
pub(super) fn interfaces(text: &str) -> Vec<Interface> {
    let kind = value(text, "connection", "type").unwrap_or_default();
    if !matches!(kind, "ethernet" | "802-3-ethernet") {
        return Vec::new();
    }
    let wired = |key| value(text, "ethernet", key).or_else(|| value(text, "802-3-ethernet", key));
    let Some(name) = value(text, "connection", "interface-name") else { return Vec::new() };
    vec![Interface { name: name.to_owned(), mac: wired("mac-address").and_then(mac) }]
}

/// Returns the text of a connection that is not started by itself.
pub(super) fn without(text: &str) -> String {
    let mut done = false;
    let mut result = String::new();
    for line in text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("autoconnect=")) {
        result.push_str(line);
        if line.trim() == "[connection]" && !done {
            result.push_str("autoconnect=false\n");
            done = true;
        }
    }
    result
}
