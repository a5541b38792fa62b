//! A plan for people: each step with its reason, texts as unified diffs, all else in words with sizes and hashes.
//!
//! A line that begins with `#` is ours, all others belong to a diff, so the output can be coloured by its first
//! characters. What the guest says is not trusted: control characters are shown, not sent to the terminal.

use super::{Plan, Step};
use crate::change::{Before, Change, FileHash, InitramfsAppend, ModuleLoader};
use crate::hardware::{Hardware, HardwareFirmware};
use crate::text::visible;
use similar::TextDiff;
use std::fmt;

/// Lines of context around each difference.
const CONTEXT: usize = 3;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            writeln!(f, "# nothing is to do: the guest is ready for {}", visible(&self.target))?;
        }
        for step in &self.steps {
            self.step(f, step)?;
            writeln!(f)?;
        }
        write!(f, "{}", self.hardware)
    }
}

impl Plan {
    fn step(&self, f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
        writeln!(f, "# {}: {}", visible(&step.id), visible(&step.why))?;
        if let Some(root) = self.roots.get(step.root).filter(|_| self.roots.len() > 1) {
            writeln!(f, "# in the system on {}", visible(&root.device.0))?;
        }
        step.changes.iter().try_for_each(|change| write!(f, "{change}"))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { path, before, after, mode } => {
                if let Some(mode) = mode {
                    writeln!(f, "# new file {}, mode {mode:04o}", visible(path.as_str()))?;
                }
                diff(f, path.as_str(), before.as_deref(), Some(after))
            }
            Self::Remove { path, before: Before::Text(text) } => diff(f, path.as_str(), Some(text), None),
            Self::Remove { path, before } => {
                writeln!(f, "# remove {}, {}", visible(path.as_str()), words(before))
            }
            Self::Link { path, before, to } => {
                write!(f, "# link {} to {}", visible(path.as_str()), visible(to))?;
                match before {
                    Some(before) => writeln!(f, " in place of {}", words(before)),
                    None => writeln!(f),
                }
            }
            Self::Copy { from, source, to } => {
                let (from, to) = (visible(from.as_str()), visible(to.as_str()));
                writeln!(f, "# copy {from} ({}) to {to}", hash(source))
            }
            Self::AppendInitramfs(append) => initramfs(f, append),
            Self::LayOut(lay_out) => write!(f, "{lay_out}"),
            Self::Run { argv } => {
                let argv: Vec<String> = argv.iter().map(|part| visible(part)).collect();
                writeln!(f, "# run in the appliance: {}", argv.join(" "))
            }
        }
    }
}

fn initramfs(f: &mut fmt::Formatter<'_>, append: &InitramfsAppend) -> fmt::Result {
    let path = visible(append.path.as_str());
    writeln!(f, "# append to {path} ({}), kernel {}", hash(&append.before), visible(&append.kernel))?;
    for module in &append.modules {
        writeln!(
            f,
            "#   module {} from {} ({})",
            visible(&module.name),
            visible(module.from.as_str()),
            hash(&module.file)
        )?;
    }
    for file in &append.files {
        writeln!(f, "#   file {} ({} bytes of text)", visible(&file.path), file.text.len())?;
    }
    match append.loader {
        ModuleLoader::Index => writeln!(f, "#   a module index, so that udev finds them"),
        ModuleLoader::Preload => {
            writeln!(f, "#   a small program that loads them and then runs the initramfs's own /init")
        }
    }
}

impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let firmware = match self.firmware {
            HardwareFirmware::Bios => "BIOS",
            HardwareFirmware::Uefi => "UEFI",
        };
        let (arch, machine) = (visible(&self.arch), visible(&self.machine));
        writeln!(f, "# hardware: {arch} {machine}, {firmware}")?;
        for disk in &self.disks {
            write!(f, "#   block {}: {}", visible(&disk.id), visible(&disk.driver))?;
            disk.controller.as_ref().map_or(Ok(()), |controller| write!(f, " on {}", visible(controller)))?;
            writeln!(f)?;
        }
        for nic in &self.nics {
            let mac = nic.mac.as_ref().map_or("any MAC address".to_owned(), |mac| visible(mac));
            writeln!(f, "#   network {}: {}, {mac}", visible(&nic.id), visible(&nic.driver))?;
        }
        for (class, driver) in [("graphics", &self.graphics), ("console", &self.console)] {
            writeln!(f, "#   {class}: {}", driver.as_deref().map_or_else(|| "none".to_owned(), visible))?;
        }
        Ok(())
    }
}

/// Writes a unified diff; no text before or after means that there is no file then.
fn diff(f: &mut fmt::Formatter<'_>, path: &str, before: Option<&str>, after: Option<&str>) -> fmt::Result {
    let name = |text: Option<&str>| if text.is_some() { visible(path) } else { "/dev/null".to_owned() };
    let (old, new) = (lines(before.unwrap_or("")), lines(after.unwrap_or("")));
    if old == new {
        writeln!(f, "--- {}\n+++ {}", name(before), name(after))?;
        return Ok(());
    }
    let diff = TextDiff::from_lines(&old, &new);
    write!(f, "{}", diff.unified_diff().context_radius(CONTEXT).header(&name(before), &name(after)))
}

fn words(before: &Before) -> String {
    match before {
        Before::Link(to) => format!("a link to {}", visible(to)),
        Before::Text(text) => format!("a text of {} bytes", text.len()),
        Before::File(file) => format!("a file of {}", hash(file)),
    }
}

fn hash(file: &FileHash) -> String {
    let short: String = file.blake3.chars().take(16).collect();
    format!("{} bytes, blake3 {}", file.size_bytes, visible(&short))
}

/// Returns a text with its control characters shown, but for tabs and line feeds.
fn lines(text: &str) -> String {
    let show = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().map(|c| if show(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests;
