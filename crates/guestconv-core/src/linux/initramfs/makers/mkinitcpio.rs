//! Arch's mkinitcpio: `MODULES=(…)` in `mkinitcpio.conf` and `mkinitcpio.conf.d/`; the hook `autodetect` leaves out what the
//! machine that makes the image does not have (mkinitcpio.conf(5)).

use super::{Maker, Settings, Tool, WHY, always, one_call, with_missing};
use crate::plan::{Context, Draft};

pub(super) const MAKER: Maker = Maker {
    tool: Tool::Mkinitcpio,
    programs: &["/usr/bin/mkinitcpio", "/sbin/mkinitcpio"],
    files: &["/etc/mkinitcpio.conf", "/etc/mkinitcpio.conf.d/"],
    is_it: always,
    plan,
    calls: |_| one_call(&["--allpresets"]),
};

fn plan(context: &Context<'_>, settings: &Settings, modules: &[&str], draft: &mut Draft) {
    // The last file that says it counts.
    let Some(file) = settings.files.iter().rfind(|file| file.text.lines().any(|line| list(line).is_some()))
    else {
        return;
    };
    draft.step(context, "initramfs/mkinitcpio", WHY, |step| {
        step.edit(file, |text| text.split_inclusive('\n').map(|line| edited(line, modules)).collect());
    });
}

fn edited(line: &str, modules: &[&str]) -> String {
    let Some(list) = list(line) else { return line.to_owned() };
    let new = with_missing(list, modules);
    if new == list { line.to_owned() } else { line.replacen(list_with_quotes(line), &quoted(line, &new), 1) }
}

/// Returns what is between the parentheses or quotes of `MODULES=`.
fn list(line: &str) -> Option<&str> {
    let value = line.trim().strip_prefix("MODULES=")?;
    let pairs = [('(', ')'), ('"', '"'), ('\'', '\'')];
    pairs.iter().find_map(|(open, close)| value.strip_prefix(*open)?.split(*close).next())
}

fn list_with_quotes(line: &str) -> &str {
    line.trim().strip_prefix("MODULES=").unwrap_or_default()
}

fn quoted(line: &str, list: &str) -> String {
    if list_with_quotes(line).starts_with('(') { format!("({list})") } else { format!("\"{list}\"") }
}
