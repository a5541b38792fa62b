//! dracut: `*.conf` in `/etc/dracut.conf.d`, where `add_drivers` adds and `hostonly` leaves out (dracut.conf(5)).

use super::{Maker, Settings, Tool, WHY, always, one_call};
use crate::finding::Finding;
use crate::path::guest_path;
use crate::plan::{Context, Draft};
use crate::text::TextFile;

/// The file of ours among dracut's.
const DRACUT_FILE: &str = "/etc/dracut.conf.d/50-guestconv.conf";

pub(super) const MAKER: Maker = Maker {
    tool: Tool::Dracut,
    programs: &["/usr/bin/dracut", "/sbin/dracut"],
    files: &["/etc/dracut.conf", "/etc/dracut.conf.d/"],
    is_it: always,
    plan,
    calls: |_| one_call(&["--force", "--regenerate-all"]),
};

fn plan(context: &Context<'_>, settings: &Settings, modules: &[&str], draft: &mut Draft) {
    let is_ours = |file: &&TextFile| file.path.as_str() == DRACUT_FILE;
    let of_the_guest = || settings.files.iter().filter(|file| !is_ours(file));
    let mentioned = |name: &str, module: &str| {
        of_the_guest().any(|file| words(&file.text, name).iter().any(|word| word == module))
    };
    for module in modules.iter().filter(|module| mentioned("omit_drivers", module)) {
        let text =
            format!("dracut's settings leave out {module}: the next initramfs will not boot on the target");
        draft.finding(Finding::warning("driver-omitted", text).about("/etc/dracut.conf.d"));
    }
    let new: Vec<&str> = modules.iter().copied().filter(|module| !mentioned("add_drivers", module)).collect();
    draft.step(context, "initramfs/dracut", WHY, |step| {
        if settings.value("hostonly", "").as_deref() == Some("no") || new.is_empty() {
            return;
        }
        let text = format!("add_drivers+=\" {} \"\n", new.join(" "));
        let path = guest_path(DRACUT_FILE);
        step.write(&path, settings.file(&path), &text, 0o644);
    });
}

/// Returns the words that lines like `NAME+=" one two "` add.
fn words(text: &str, name: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix(name)?.trim_start_matches('+').strip_prefix('='))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace().map(str::to_owned))
        .collect()
}
