//! Consoles: where the kernel writes, and where a login waits beside the display.
//!
//! The console of the document decides: `isa-serial` is `ttyS0`, `virtconsole` is `hvc0`, none is none. Command lines get
//! `console=` for it, last, since init talks to the last one; `console=tty0` is kept or added before it, so that the
//! display shows the boot too. Consoles of the source's hypervisor (`hvc0` and `xvc0` of Xen) are replaced: a kernel whose
//! only `console=` names no device starts init without one. The login follows: systemd starts one on every console of
//! the kernel by itself (systemd-getty-generator(8)), inittab(5) and upstart jobs are edited.
//! Command lines are the boot loader's files and change through it; settings of GRUB's own terminal are left alone.

mod cmdline;
mod inittab;
mod systemd;
mod upstart;

use crate::describe::CONSOLE_ID;
use crate::description::{Choice, Class};
use crate::finding::Finding;
use crate::knowledge;
use crate::linux::{Probe, bootloader};
use crate::path::{GuestPath, guest_path};
use crate::plan::{Context, Draft};
use crate::text::TextFile;
use crate::tree::{GuestTree, ReadError, first_existing};
use serde::{Deserialize, Serialize};

/// What is known of the logins on consoles. What command lines say is with the boot loaders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ConsoleFacts"))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The program that starts everything, as far as it is known.
    pub init: Init,
    /// systemd: links that start a login on a serial terminal.
    pub gettys: Vec<Getty>,
    /// upstart: jobs that start a login on a serial terminal.
    pub jobs: Vec<TextFile>,
    /// `/etc/inittab`.
    pub inittab: Option<TextFile>,
    /// `/etc/securetty`: the terminals on which root may log in.
    pub securetty: Option<TextFile>,
    /// The program that a new login is started with.
    pub getty: Option<GuestPath>,
}

/// The programs that start a guest's services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Init {
    /// systemd.
    Systemd,
    /// upstart.
    Upstart,
    /// SysV's or busybox's, which read inittab.
    Inittab,
    /// Another.
    #[default]
    Other,
}

/// A link of systemd that starts a login on a serial terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Getty {
    /// The link.
    pub path: GuestPath,
    /// What it says.
    pub to: String,
    /// The terminal.
    pub terminal: String,
}

/// Reads who starts logins on consoles.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(probe: &Probe<'_>, _findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    let tree = probe.tree;
    Ok(Facts {
        init: init(tree)?,
        gettys: systemd::gettys(tree)?,
        jobs: upstart::jobs(tree)?,
        inittab: tree.text(&guest_path("/etc/inittab"))?,
        securetty: tree.text(&guest_path("/etc/securetty"))?,
        getty: first_existing(tree, &["/sbin/agetty", "/usr/sbin/agetty", "/sbin/getty", "/usr/sbin/getty"])?,
    })
}

fn init(tree: &dyn GuestTree) -> Result<Init, ReadError> {
    let program = match tree.canonical(&guest_path("/sbin/init"))? {
        Some(program) => program,
        None => return Ok(Init::Other),
    };
    if program.file_name() == "systemd" {
        return Ok(Init::Systemd);
    }
    let has_jobs = tree.list(&guest_path("/etc/init"))?.iter().any(|name| name.ends_with(".conf"));
    let has_control = first_existing(tree, &["/sbin/initctl", "/usr/sbin/initctl"])?.is_some();
    if has_jobs && has_control {
        return Ok(Init::Upstart);
    }
    let has_inittab = tree.exists(&guest_path("/etc/inittab"))?;
    Ok(if has_inittab { Init::Inittab } else { Init::Other })
}

/// Plans the console of the document: on command lines, and a login on it.
pub fn plan(context: &Context<'_>, facts: &crate::linux::Facts, draft: &mut Draft) {
    let terminal = terminal(context);
    let why = match terminal {
        Some(terminal) => format!("the target's console is {terminal}, so the kernel writes there"),
        None => "the target has no serial console, so the kernel writes to the display".to_owned(),
    };
    let decide = |words: &[crate::formats::cmdline::Word]| cmdline::edit(words, terminal);
    bootloader::edit_cmdlines(context, &facts.bootloader, draft, "console/command-line", &why, &decide);
    let why = match terminal {
        Some(terminal) => format!("a login waits on {terminal}, the target's console"),
        None => "no login waits on a serial console, which the target does not have".to_owned(),
    };
    draft.step(context, "console/login", &why, |step| match facts.console.init {
        Init::Systemd => systemd::plan(step, &facts.console.gettys, terminal),
        Init::Upstart => upstart::plan(step, &facts.console, terminal),
        Init::Inittab => {
            if let Some(file) = &facts.console.inittab {
                step.edit(file, |text| inittab::edited(text, facts.console.getty.as_ref(), terminal));
            }
        }
        Init::Other => {}
    });
    let Some((terminal, file)) = terminal.zip(facts.console.securetty.as_ref()) else { return };
    let why = format!("root could log in on the source's console, and so on {terminal}");
    draft.step(context, "console/securetty", &why, |step| step.edit(file, |text| with_root(text, terminal)));
}

/// Returns the terminal of the chosen console; `None` if the target gives none.
fn terminal(context: &Context<'_>) -> Option<&'static str> {
    match context.choices.devices.get(&(Class::Console, CONSOLE_ID.to_owned()))? {
        Choice::Driver(driver) => knowledge::device(driver)?.terminal.as_deref(),
        Choice::Removed => None,
    }
}

/// Returns whether a terminal is a serial console or what a hypervisor gives for one.
fn is_serial(terminal: &str) -> bool {
    ["ttyS", "hvc", "xvc"].iter().any(|prefix| {
        let number = terminal.strip_prefix(prefix);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

/// Returns securetty with a terminal, if it lists another serial one. A list that forbids them all stays so.
fn with_root(text: &str, terminal: &str) -> String {
    let mut names = text.lines().filter_map(|line| line.split_ascii_whitespace().next());
    let has_it = names.clone().any(|name| name == terminal);
    let any = names.any(is_serial);
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    if any && !has_it { format!("{text}{newline}{terminal}\n") } else { text.to_owned() }
}

#[cfg(test)]
mod tests;
