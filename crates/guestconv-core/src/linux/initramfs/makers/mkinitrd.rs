//! mkinitrd of the time before dracut. SUSE to SLES 11: `INITRD_MODULES` in `/etc/sysconfig/kernel`. RHEL to 5: the aliases
//! `scsi_hostadapter`, `scsi_hostadapter1` … in `/etc/modprobe.conf` (mkinitrd(8)).

use super::{Maker, Settings, Tool, WHY, with_missing};
use crate::formats::shell_vars;
use crate::linux::kernels::Kernel;
use crate::path::guest_path;
use crate::plan::{Context, Draft};
use crate::text::TextFile;

const SYSCONFIG: &str = "/etc/sysconfig/kernel";
const MODPROBE: &str = "/etc/modprobe.conf";
const ALIAS: &str = "scsi_hostadapter";

pub(super) const MAKER: Maker = Maker {
    tool: Tool::Mkinitrd,
    programs: &["/sbin/mkinitrd", "/usr/sbin/mkinitrd"],
    files: &[SYSCONFIG, MODPROBE],
    is_it,
    plan,
    calls,
};

/// dracut brings a program of that name too.
fn is_it(files: &[TextFile]) -> bool {
    files.iter().any(|file| match file.path.as_str() {
        SYSCONFIG => shell_vars::value(&file.text, "INITRD_MODULES").is_some(),
        _ => aliases(&file.text).next().is_some(),
    })
}

fn plan(context: &Context<'_>, settings: &Settings, modules: &[&str], draft: &mut Draft) {
    draft.step(context, "initramfs/mkinitrd", WHY, |step| {
        for file in &settings.files {
            step.edit(file, |text| match file.path == guest_path(SYSCONFIG) {
                true => shell_vars::edited(text, "INITRD_MODULES", |list| with_missing(list, modules)),
                false => with_aliases(text, modules),
            });
        }
    });
}

/// Returns alias and module of the lines that mkinitrd follows.
fn aliases(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (first, alias, module) = (words.next()?, words.next()?, words.next()?);
        (first == "alias" && alias.starts_with(ALIAS)).then_some((alias, module))
    })
}

fn with_aliases(text: &str, modules: &[&str]) -> String {
    let mut text = text.to_owned();
    for module in modules {
        if aliases(&text).next().is_none() || aliases(&text).any(|(_, there)| there == *module) {
            continue;
        }
        let is_free = |name: &String| aliases(&text).all(|(alias, _)| alias != name);
        let Some(name) = (1..1000).map(|number| format!("{ALIAS}{number}")).find(is_free) else { continue };
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        text.push_str(&format!("{newline}alias {name} {module}\n"));
    }
    text
}

fn calls(kernels: &[&Kernel]) -> Vec<Vec<String>> {
    let call = |kernel: &&Kernel| {
        let image = kernel.initramfs.as_ref()?;
        Some(vec!["-f".to_owned(), image.as_str().to_owned(), kernel.version.clone()])
    };
    kernels.iter().filter_map(call).collect()
}
