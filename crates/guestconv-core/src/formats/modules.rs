//! The text files that depmod leaves in `/lib/modules/VERSION`: `modules.dep`, `modules.alias`, `modules.softdep`,
//! `modules.builtin` (modules.dep(5), depmod.d(5)); and what a module is called: its file's name up to the first dot,
//! with `_` for `-`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The most lines of a list that are read: Ubuntu's have 7,000.
const CAP_LINES: usize = 100_000;

/// Returns the name of a module as the kernel says it: `kernel/drivers/block/virtio-rng.ko.xz` is `virtio_rng`.
pub fn module_name(path: &str) -> Cow<'_, str> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let name = file.split('.').next().unwrap_or(file);
    if name.contains('-') { Cow::Owned(name.replace('-', "_")) } else { Cow::Borrowed(name) }
}

/// Returns whether a file of this name is a kernel module, compressed or not.
pub fn is_module(name: &str) -> bool {
    ["", ".gz", ".xz", ".zst", ".bz2", ".lzma"]
        .iter()
        .any(|suffix| name.strip_suffix(suffix).is_some_and(|name| name.ends_with(".ko")))
}

/// Returns an alias or module name as the index has it: `_` for `-` outside of `[…]`.
pub fn normalised_alias(alias: &str) -> String {
    let mut inside = false;
    let replace = |letter: char| {
        match letter {
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
        if letter == '-' && !inside { '_' } else { letter }
    };
    alias.chars().map(replace).collect()
}

/// What `modules.dep` says of one module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependency<'a> {
    /// Path of its file, relative to the module directory (absolute where an old depmod wrote it so).
    pub path: &'a str,
    /// The paths of [`Self::needs`] with blanks between them.
    needs: &'a str,
    /// Its position in the file.
    pub position: u32,
}

impl<'a> Dependency<'a> {
    /// Returns the paths of the modules that it needs, all of them, the first to be loaded last.
    pub fn needs(&self) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
        self.needs.split_ascii_whitespace()
    }
}

/// Returns what `modules.dep` says, by module name; of two files of one name the first wins, as in libkmod.
pub fn dependencies(text: &str) -> BTreeMap<Cow<'_, str>, Dependency<'_>> {
    dependencies_of(text, |_| true)
}

/// The same for the modules whose names are wanted. A kernel has thousands, and to put all in order takes longer than to
/// read the text several times.
pub fn dependencies_of(
    text: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> BTreeMap<Cow<'_, str>, Dependency<'_>> {
    let mut found = BTreeMap::new();
    let lines = text.lines().filter(|line| line.contains(':')).take(CAP_LINES);
    for (position, line) in (0..).zip(lines) {
        let Some((path, needs)) = line.split_once(':') else { continue };
        let path = path.trim();
        let name = module_name(path);
        if is_wanted(&name) {
            found.entry(name).or_insert(Dependency { path, needs, position });
        }
    }
    found
}

/// Returns alias and module name of every line of `modules.alias`, in its order.
pub fn aliases(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let (alias, module) = line.strip_prefix("alias ")?.rsplit_once(' ')?;
        Some((alias.trim(), module.trim()))
    })
}

/// What `modules.softdep` says of one module: what is loaded before and after it, if it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftDependency {
    /// Modules or aliases that are loaded before.
    pub before: Vec<String>,
    /// Modules or aliases that are loaded after.
    pub after: Vec<String>,
}

/// Returns what `modules.softdep` says, by module name.
pub fn soft_dependencies(text: &str) -> BTreeMap<String, SoftDependency> {
    let mut found: BTreeMap<String, SoftDependency> = BTreeMap::new();
    for line in text.lines().take(CAP_LINES) {
        let mut words = line.split_whitespace();
        let (Some("softdep"), Some(module)) = (words.next(), words.next()) else { continue };
        let soft = found.entry(module_name(module).into_owned()).or_default();
        let mut after = None;
        for word in words {
            match (word, after) {
                ("pre:", _) => after = Some(false),
                ("post:", _) => after = Some(true),
                (word, Some(false)) => soft.before.push(word.to_owned()),
                (word, Some(true)) => soft.after.push(word.to_owned()),
                (_, None) => {}
            }
        }
    }
    found
}

/// Returns the names of the modules that `modules.builtin` says are built into the kernel.
pub fn builtin(text: &str) -> BTreeSet<Cow<'_, str>> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).take(CAP_LINES).map(module_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (path, name, module) in [
            ("kernel/drivers/char/hw_random/virtio-rng.ko", "virtio_rng", true),
            ("kernel/drivers/block/virtio_blk.ko.xz", "virtio_blk", true),
            ("extra/x.ko.zst", "x", true),
            ("modules.dep", "modules", false),
            ("x.ko.sig", "x", false),
        ] {
            assert_eq!((&*module_name(path), is_module(path)), (name, module), "{path}");
        }
        assert_eq!(normalised_alias("of:N*T*Ca-b[a-c]-d"), "of:N*T*Ca_b[a-c]_d");
    }

    #[test]
    fn files_of_depmod() {
        let text = "kernel/a.ko.xz: kernel/b-c.ko.xz kernel/d.ko.xz\nupdates/d.ko:\nkernel/d.ko.xz:\n";
        let found = dependencies(text);
        let found = found
            .iter()
            .map(|(name, found)| (&**name, found.path, found.needs().collect::<Vec<_>>(), found.position));
        let expected = [
            ("a", "kernel/a.ko.xz", vec!["kernel/b-c.ko.xz", "kernel/d.ko.xz"], 0),
            ("d", "updates/d.ko", Vec::new(), 1),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);

        let text = "# Aliases extracted from modules themselves.\nalias pci:v*d*sv* a\nalias fs-ext4 ext4\n";
        let pairs: Vec<_> = aliases(text).collect();
        assert_eq!(pairs, [("pci:v*d*sv*", "a"), ("fs-ext4", "ext4")]);

        let text = "# Soft\nsoftdep libcrc32c pre: crc32c\nsoftdep a-b post: c pre: d e\n";
        let soft = |before: &[&str], after: &[&str]| SoftDependency {
            before: before.iter().map(|name| (*name).to_owned()).collect(),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
        };
        let expected = BTreeMap::from([
            ("libcrc32c".to_owned(), soft(&["crc32c"], &[])),
            ("a_b".to_owned(), soft(&["d", "e"], &["c"])),
        ]);
        assert_eq!(soft_dependencies(text), expected);

        let names: Vec<_> = builtin("kernel/drivers/ata/libata.ko\nkernel/x-y.ko\n\n").into_iter().collect();
        assert_eq!(names, ["libata", "x_y"]);
    }
}
