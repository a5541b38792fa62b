//! Debian's initramfs-tools: `MODULES=` in `initramfs.conf` and `conf.d/`, and the list in `modules` (initramfs-tools(7)).

use super::{Maker, Settings, Tool, WHY, always, one_call};
use crate::path::guest_path;
use crate::plan::{Context, Draft};

/// The list of modules.
const MODULES_FILE: &str = "/etc/initramfs-tools/modules";

pub(super) const MAKER: Maker = Maker {
    tool: Tool::InitramfsTools,
    programs: &["/usr/sbin/update-initramfs", "/sbin/update-initramfs"],
    files: &["/etc/initramfs-tools/initramfs.conf", "/etc/initramfs-tools/conf.d/", MODULES_FILE],
    is_it: always,
    plan,
    calls: |_| one_call(&["-u", "-k", "all"]),
};

fn plan(context: &Context<'_>, settings: &Settings, modules: &[&str], draft: &mut Draft) {
    draft.step(context, "initramfs/initramfs-tools", WHY, |step| {
        let takes_all = settings.value("MODULES", MODULES_FILE).is_none_or(|value| value == "most");
        if takes_all || modules.is_empty() {
            return;
        }
        let path = guest_path(MODULES_FILE);
        let file = settings.file(&path);
        step.write(&path, file, &listed(file.map_or("", |file| &file.text), modules), 0o644);
    });
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
