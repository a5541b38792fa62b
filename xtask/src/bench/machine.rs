//! What a measurement ran on, in words.

use crate::{checkout, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The machine and the versions of the programs.
pub(super) struct Machine {
    /// One line each, in the order in which they are shown.
    pub(super) lines: Vec<(&'static str, String)>,
}

impl Machine {
    /// Looks at the machine.
    ///
    /// # Errors
    /// If it does not tell.
    pub(super) fn look(appliance: &Path) -> Result<Machine> {
        let read = |path: &str| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
        let processors = std::thread::available_parallelism().context("cannot count processors")?;
        let model = value_in(&read("/proc/cpuinfo")?, "model name").unwrap_or_else(|| "unknown".to_owned());
        let memory = value_in(&read("/proc/meminfo")?, "MemTotal").context("MemTotal is not told")?;
        let system = value_in(&read("/etc/os-release")?, "PRETTY_NAME").unwrap_or_else(|| "unknown".into());
        let kernel = read("/proc/sys/kernel/osrelease")?;
        let load = read("/proc/loadavg")?;
        let version = appliance.join("VERSION");
        let version =
            fs::read_to_string(&version).with_context(|| format!("cannot read {}", version.display()))?;
        Ok(Machine {
            lines: vec![
                ("date", run::output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?),
                ("machine", format!("{processors} processors, {model}; memory {}", gib(&memory)?)),
                ("load before", load.split(' ').next().unwrap_or_default().to_owned()),
                ("system", format!("{system}, kernel {}", kernel.trim())),
                ("guestconv", format!("{}, release build, appliance {}", own_version()?, joined(&version))),
            ],
        })
    }

    /// Adds a line.
    pub(super) fn add(&mut self, name: &'static str, text: String) {
        self.lines.push((name, text));
    }
}

/// Returns the versions of the installed packages: `virt-v2v 2.2.0-1, …`.
///
/// # Errors
/// If one is not installed.
pub(super) fn packages(names: &[&str]) -> Result<String> {
    let lines =
        run::output(Command::new("dpkg-query").args(["-W", "-f", "${Package} ${Version}\\n"]).args(names))?;
    Ok(lines.lines().collect::<Vec<_>>().join(", "))
}

/// Returns our version and the commit, where there is one.
fn own_version() -> Result<String> {
    let version = env!("CARGO_PKG_VERSION");
    let mut git = Command::new("git");
    git.current_dir(checkout()).args(["describe", "--always", "--dirty", "--abbrev=10"]);
    let output = git.output();
    // A tree without its history has no commit.
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        return Ok(version.to_owned());
    };
    let commit = String::from_utf8(output.stdout).context("git wrote no UTF-8")?;
    Ok(format!("{version} ({})", commit.trim()))
}

/// Returns the value of `KEY : VALUE` or `KEY="VALUE"`.
fn value_in(text: &str, key: &str) -> Option<String> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?.trim_start();
    let value = rest.strip_prefix([':', '='])?.trim().trim_matches('"');
    Some(value.to_owned())
}

fn gib(meminfo: &str) -> Result<String> {
    let kib: u64 = meminfo.trim_end_matches(" kB").parse().context("MemTotal is no number")?;
    Ok(format!("{} GiB", (kib + (1 << 19)) >> 20))
}

fn joined(lines: &str) -> String {
    lines.lines().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_system_are_read() {
        for (text, key, expected) in [
            ("a\t: b\nmodel name\t: Some CPU @ 2 GHz\n", "model name", Some("Some CPU @ 2 GHz")),
            ("PRETTY_NAME=\"Debian 12\"\n", "PRETTY_NAME", Some("Debian 12")),
            ("MemTotal:  100 kB\n", "MemTotal", Some("100 kB")),
            ("other: 1\n", "MemTotal", None),
        ] {
            assert_eq!(value_in(text, key).as_deref(), expected, "{text}");
        }
        assert_eq!(gib("24684312 kB").unwrap(), "24 GiB");
    }
}
