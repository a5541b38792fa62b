//! The settings of what makes images, so that the next image, after a kernel's update, has the drivers too.
//!
//! initramfs-tools: `MODULES=` in `initramfs.conf` and `conf.d/`, and the list in `modules` (initramfs-tools(7)).
//! dracut: `*.conf` in `/etc/dracut.conf.d`, where `add_drivers` adds and `hostonly` leaves out (dracut.conf(5)).

use super::{Settings, Tool};
use crate::finding::Finding;
use crate::formats::shell_vars;
use crate::linux::Probe;
use crate::path::{GuestPath, guest_path};
use crate::plan::{Context, Draft};
use crate::text::TextFile;
use crate::tree::{ReadError, first_existing};

/// The file of ours among dracut's.
const DRACUT_FILE: &str = "/etc/dracut.conf.d/50-guestconv.conf";
/// The list of initramfs-tools.
const MODULES_FILE: &str = "/etc/initramfs-tools/modules";

/// Reads the settings of every program that makes images.
pub(super) fn facts(probe: &Probe<'_>) -> Result<Vec<Settings>, ReadError> {
    let mut found = Vec::new();
    for (tool, programs, files) in [
        (
            Tool::InitramfsTools,
            ["/usr/sbin/update-initramfs", "/sbin/update-initramfs"],
            ["/etc/initramfs-tools/initramfs.conf", "/etc/initramfs-tools/conf.d/", MODULES_FILE].as_slice(),
        ),
        (
            Tool::Dracut,
            ["/usr/bin/dracut", "/sbin/dracut"],
            ["/etc/dracut.conf", "/etc/dracut.conf.d/"].as_slice(),
        ),
    ] {
        let Some(program) = first_existing(probe.tree, &programs)? else { continue };
        let mut texts = Vec::new();
        for file in files {
            texts.extend(read(probe, &guest_path(file), file.ends_with('/'))?);
        }
        found.push(Settings { tool, program, files: texts });
    }
    Ok(found)
}

fn read(probe: &Probe<'_>, path: &GuestPath, is_folder: bool) -> Result<Vec<TextFile>, ReadError> {
    if !is_folder {
        return Ok(probe.tree.text(path)?.into_iter().collect());
    }
    let mut texts = Vec::new();
    for name in probe.tree.list(path)? {
        texts.extend(probe.tree.text(&path.join(&name))?);
    }
    Ok(texts)
}

/// Plans what makes later images hold the modules.
pub(super) fn plan(context: &Context<'_>, settings: &[Settings], modules: &[&str], draft: &mut Draft) {
    let why = "the next initramfs, after an update of the kernel, has the target's drivers too";
    for settings in settings {
        match settings.tool {
            Tool::InitramfsTools => draft.step(context, "initramfs/initramfs-tools", why, |step| {
                let takes_all = settings.value("MODULES").is_none_or(|value| value == "most");
                if takes_all || modules.is_empty() {
                    return;
                }
                let path = guest_path(MODULES_FILE);
                let file = settings.file(&path);
                step.write(&path, file, &listed(file.map_or("", |file| &file.text), modules), 0o644);
            }),
            Tool::Dracut => {
                let is_ours = |file: &&TextFile| file.path.as_str() == DRACUT_FILE;
                let of_the_guest = || settings.files.iter().filter(|file| !is_ours(file));
                let mentioned = |name: &str, module: &str| {
                    of_the_guest().any(|file| words(&file.text, name).iter().any(|word| word == module))
                };
                for module in modules.iter().filter(|module| mentioned("omit_drivers", module)) {
                    let text = format!(
                        "dracut's settings leave out {module}: the next initramfs will not boot on the target"
                    );
                    draft.finding(Finding::warning("driver-omitted", text).about("/etc/dracut.conf.d"));
                }
                let new: Vec<&str> =
                    modules.iter().copied().filter(|module| !mentioned("add_drivers", module)).collect();
                draft.step(context, "initramfs/dracut", why, |step| {
                    if settings.value("hostonly").as_deref() == Some("no") || new.is_empty() {
                        return;
                    }
                    let text = format!("add_drivers+=\" {} \"\n", new.join(" "));
                    step.write(
                        &guest_path(DRACUT_FILE),
                        settings.file(&guest_path(DRACUT_FILE)),
                        &text,
                        0o644,
                    );
                });
            }
        }
    }
}

/// Returns the list of modules with those that it lacks.
fn listed(text: &str, modules: &[&str]) -> String {
    let has = |module: &&&str| {
        text.lines()
            .any(|line| line.split_whitespace().next().is_some_and(|name| name.replace('-', "_") == **module))
    };
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let missing = modules.iter().filter(|module| !has(module));
    missing.fold(format!("{text}{newline}"), |text, module| text + module + "\n")
}

/// Returns the words that lines like `NAME+=" one two "` add.
fn words(text: &str, name: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix(name)?.trim_start_matches('+').strip_prefix('='))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace().map(str::to_owned))
        .collect()
}

impl Settings {
    fn file(&self, path: &GuestPath) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == *path)
    }

    /// Returns the last value that a variable gets.
    fn value(&self, name: &str) -> Option<String> {
        let files = self.files.iter().filter(|file| file.path.as_str() != MODULES_FILE);
        files.filter_map(|file| shell_vars::value(&file.text, name)).next_back()
    }
}
