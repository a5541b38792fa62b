//! The programs that make images, each in a file of its own beside this: their settings, so that the next image, after a
//! kernel's update, has the drivers too; and how they are run for the caller who asks for it.

mod dracut;
mod initramfs_tools;
mod mkinitcpio;
mod mkinitfs;
mod mkinitrd;

use super::{Settings, Tool};
use crate::finding::Finding;
use crate::formats::shell_vars;
use crate::linux::Probe;
use crate::linux::kernels::Kernel;
use crate::path::{GuestPath, guest_path};
use crate::plan::{Context, Draft};
use crate::text::TextFile;
use crate::tree::{ReadError, first_existing};

/// What is to be known of a program that makes images.
struct Maker {
    tool: Tool,
    /// Where the program is.
    programs: &'static [&'static str],
    /// The files of its settings, in the order in which it reads them; a folder ends in `/`.
    files: &'static [&'static str],
    /// Whether these files are really those of this program, where others have the same name.
    is_it: fn(&[TextFile]) -> bool,
    /// Plans what makes later images hold the modules.
    plan: fn(&Context<'_>, &Settings, &[&str], &mut Draft),
    /// Returns the arguments of each call that makes the images of these kernels.
    calls: fn(&[&Kernel]) -> Vec<Vec<String>>,
}

const MAKERS: [&Maker; 5] =
    [&initramfs_tools::MAKER, &dracut::MAKER, &mkinitcpio::MAKER, &mkinitfs::MAKER, &mkinitrd::MAKER];
/// Why any of them is set.
const WHY: &str = "the next initramfs, after an update of the kernel, has the target's drivers too";

/// Reads the settings of every program that makes images.
pub(super) fn facts(probe: &Probe<'_>, findings: &mut Vec<Finding>) -> Result<Vec<Settings>, ReadError> {
    let mut found = Vec::new();
    for maker in MAKERS {
        let Some(program) = first_existing(probe.tree, maker.programs)? else { continue };
        let mut files = Vec::new();
        for file in maker.files {
            files.extend(read(probe, file, findings)?);
        }
        if (maker.is_it)(&files) {
            found.push(Settings { tool: maker.tool, program, files });
        }
    }
    Ok(found)
}

/// Reads a file, or all of a folder. What is no text is left out, and a person is told.
fn read(
    probe: &Probe<'_>,
    file: &'static str,
    findings: &mut Vec<Finding>,
) -> Result<Vec<TextFile>, ReadError> {
    let path = guest_path(file);
    let paths = match file.ends_with('/') {
        true => probe.tree.list(&path)?.iter().map(|name| path.join(name)).collect(),
        false => vec![path],
    };
    let mut texts = Vec::new();
    for path in paths {
        match probe.tree.text(&path) {
            Ok(text) => texts.extend(text),
            Err(error) => {
                let text =
                    format!("what says how initramfs images are made cannot be read: {}", error.reason);
                findings.push(Finding::warning("initramfs-settings-unreadable", text).about(path.as_str()));
            }
        }
    }
    Ok(texts)
}

/// Plans what makes later images hold the modules.
pub(super) fn plan(context: &Context<'_>, settings: &[Settings], modules: &[&str], draft: &mut Draft) {
    for settings in settings {
        for maker in MAKERS.iter().filter(|maker| maker.tool == settings.tool) {
            (maker.plan)(context, settings, modules, draft);
        }
    }
    if settings.is_empty() && !modules.is_empty() {
        let text = format!(
            "what makes the guest's initramfs images is not known; after an update of the kernel, see that they have {}",
            modules.join(", ")
        );
        draft.finding(Finding::info("initramfs-maker-unknown", text).about("/boot"));
    }
}

/// Returns the commands that make the images of these kernels.
pub(super) fn commands(settings: &Settings, kernels: &[&Kernel]) -> Vec<Vec<String>> {
    let maker = MAKERS.iter().find(|maker| maker.tool == settings.tool);
    let calls = maker.map(|maker| (maker.calls)(kernels)).unwrap_or_default();
    let program = settings.program.as_str().to_owned();
    calls.into_iter().map(|arguments| std::iter::once(program.clone()).chain(arguments).collect()).collect()
}

/// For programs whose files nobody else has.
fn always(_: &[TextFile]) -> bool {
    true
}

fn one_call(arguments: &[&str]) -> Vec<Vec<String>> {
    vec![arguments.iter().map(|argument| (*argument).to_owned()).collect()]
}

/// Returns the words of a list with those that it lacks; `-` and `_` are the same in names of modules.
fn with_missing(list: &str, words: &[&str]) -> String {
    let has =
        |word: &&str| list.split_whitespace().any(|there| there.replace('-', "_") == word.replace('-', "_"));
    let missing: Vec<&str> = words.iter().copied().filter(|word| !has(word)).collect();
    match (list.trim_end(), missing.as_slice()) {
        (_, []) => list.to_owned(),
        ("", missing) => missing.join(" "),
        (there, missing) => format!("{there} {}", missing.join(" ")),
    }
}

impl Settings {
    fn file(&self, path: &GuestPath) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == *path)
    }

    /// Returns the last value that a variable gets in files of shell variables; `but` is none.
    fn value(&self, name: &str, but: &str) -> Option<String> {
        let files = self.files.iter().filter(|file| file.path.as_str() != but);
        files.filter_map(|file| shell_vars::value(&file.text, name)).next_back()
    }
}

#[cfg(test)]
mod tests;
