//! Lists of modules that are loaded at boot (`/etc/modules`, modules-load.d(5)) and programs that desktop sessions start
//! (`/etc/xdg/autostart`, Desktop Application Autostart Specification). Lines are commented out, programs hidden.

use crate::path::guest_path;
use crate::text::TextFile;
use crate::tree::{GuestTree, ReadError};

/// Returns the files that load modules or start programs of the families.
pub(super) fn files(tree: &dyn GuestTree) -> Result<Vec<TextFile>, ReadError> {
    let mut paths = vec![guest_path("/etc/modules")];
    for (dir, suffix) in [("/etc/modules-load.d", ".conf"), ("/etc/xdg/autostart", ".desktop")] {
        let dir = guest_path(dir);
        let names = tree.list(&dir)?;
        paths.extend(names.iter().filter(|name| name.ends_with(suffix)).map(|name| dir.join(name)));
    }
    let mut files = Vec::new();
    for path in paths {
        // A link leads to a file of a package or to one that is in this list already.
        if tree.read_link(&path)?.is_none() {
            files.extend(tree.text(&path)?.filter(is_ours));
        }
    }
    Ok(files)
}

/// Returns whether a file starts or loads something of a family of tools.
fn is_ours(file: &TextFile) -> bool {
    super::FAMILIES.iter().any(|family| super::without_family(file, &file.text, family) != file.text)
}

/// Returns a list of modules with these commented out.
pub(super) fn without_modules(text: &str, modules: &[&str]) -> String {
    text.split_inclusive('\n')
        .map(|line| {
            let module = line.split_ascii_whitespace().next().unwrap_or("").replace('-', "_");
            if modules.contains(&module.as_str()) { format!("# {line}") } else { line.to_owned() }
        })
        .collect()
}

/// Returns a desktop entry hidden from sessions if it is one of `programs`.
pub(super) fn without_program(name: &str, text: &str, programs: &[&str]) -> String {
    let is_hidden = text.lines().any(|line| line.replace(' ', "").eq_ignore_ascii_case("hidden=true"));
    if !programs.contains(&name) || is_hidden {
        return text.to_owned();
    }
    let is_shown = |line: &str| line.replace(' ', "").trim_end().eq_ignore_ascii_case("hidden=false");
    let mut hidden = String::new();
    for line in text.split_inclusive('\n').filter(|line| !is_shown(line)) {
        hidden.push_str(line);
        if line.trim() == "[Desktop Entry]" {
            let newline = if line.ends_with('\n') { "" } else { "\n" };
            hidden.push_str(&format!("{newline}Hidden=true\n"));
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_commented_out_and_programs_hidden() {
        for (before, after) in [
            ("loop\nvboxguest\nvboxsf opt\n", "loop\n# vboxguest\n# vboxsf opt\n"),
            ("# vboxguest\nlp", "# vboxguest\nlp"),
        ] {
            assert_eq!(without_modules(before, &["vboxguest", "vboxsf"]), after, "{before:?}");
        }
        for (name, before, after) in [
            ("a.desktop", "[Desktop Entry]\nName=A\n", "[Desktop Entry]\nHidden=true\nName=A\n"),
            ("a.desktop", "[Desktop Entry]\nHidden = false\n", "[Desktop Entry]\nHidden=true\n"),
            ("a.desktop", "[Desktop Entry]\nHidden=true\n", "[Desktop Entry]\nHidden=true\n"),
            ("b.desktop", "[Desktop Entry]\n", "[Desktop Entry]\n"),
        ] {
            assert_eq!(without_program(name, before, &["a.desktop"]), after, "{name} {before:?}");
        }
    }
}
