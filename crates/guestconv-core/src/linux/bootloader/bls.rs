//! Entries of the Boot Loader Specification as files of a root: GRUB 2's `blscfg` and systemd-boot both read them. Names of
//! files in them are relative to the file system that holds the entry.

use super::{Entry, LoaderKind, paths};
use crate::formats::bls::{BlsEntry, parse};
use crate::formats::{cmdline, version};
use crate::linux::{Probe, devices};
use crate::path::GuestPath;
use crate::text::TextFile;
use crate::tree::ReadError;

/// The most entries that are read from one directory.
const ENTRIES_CAP: usize = 200;

/// One entry's file.
pub(super) struct BlsFile {
    /// The file's name without `.conf`.
    pub(super) id: String,
    pub(super) file: TextFile,
    pub(super) content: BlsEntry,
}

impl BlsFile {
    pub(super) fn title(&self) -> &str {
        self.content.title.as_deref().unwrap_or(&self.id)
    }
}

/// Returns the entries of a directory, newest first, as GRUB sorts them.
///
/// # Errors
/// [`ReadError`] if an entry cannot be read.
pub(super) fn files(probe: &Probe<'_>, directory: &GuestPath) -> Result<Vec<BlsFile>, ReadError> {
    let mut found = Vec::new();
    for name in probe.tree.list(directory)?.into_iter().take(ENTRIES_CAP) {
        let Some(id) = name.strip_suffix(".conf") else { continue };
        if let Some(file) = super::text_file(probe, &directory.join(&name))? {
            found.push(BlsFile { id: id.to_owned(), content: parse(&file.text), file });
        }
    }
    found.sort_by(|left, right| version::compare(&right.id, &left.id));
    Ok(found)
}

/// Returns an entry; `None` if it starts no kernel. `known` tells the loader's variables, and `root` where it looks.
///
/// # Errors
/// [`ReadError`] if a path cannot be looked at.
pub(super) fn entry(
    probe: &Probe<'_>,
    loader: LoaderKind,
    bls: &BlsFile,
    root: Option<&str>,
    known: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Entry>, ReadError> {
    let Some(kernel_text) = bls.content.linux.clone().filter(|kernel| !super::is_no_kernel(kernel)) else {
        return Ok(None);
    };
    let menu = &bls.file.path;
    // GRUB's `$root` may lie elsewhere; what the entry's own file system holds counts.
    let place = |text: &str| -> Result<Option<GuestPath>, ReadError> {
        match paths::file(probe, menu, None, text)? {
            Some(path) if probe.tree.exists(&path)? => Ok(Some(path)),
            here => Ok(paths::file(probe, menu, root, text)?.or(here)),
        }
    };
    let options = expanded(&bls.content.options, known);
    let words = cmdline::words(&options);
    let mut initrds = Vec::new();
    for text in bls.content.initrds.iter().filter(|text| !text.starts_with('$')) {
        initrds.extend(place(text)?);
    }
    Ok(Some(Entry {
        loader,
        source: menu.clone(),
        title: bls.title().to_owned(),
        kernel: place(&kernel_text)?,
        recovery: super::is_recovery(&words, &[bls.title(), &bls.id, &kernel_text]),
        root: cmdline::value(&words, "root").and_then(|spec| devices::resolve(probe.layout, spec)),
        subvolume: super::subvolume(&words),
        kernel_text,
        initrds,
        options,
        default: false,
    }))
}

/// Replaces words that are a variable by what is known of it.
fn expanded(options: &str, known: &dyn Fn(&str) -> Option<String>) -> String {
    let word = |word: &str| {
        let value = word.strip_prefix('$').and_then(|name| known(name.trim_matches(['{', '}'])));
        value.map_or_else(|| word.to_owned(), |value| value.trim().to_owned())
    };
    options.split_ascii_whitespace().map(word).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
