//! Who starts a service: systemd's links, SysV and OpenRC runlevels, upstart jobs. And how it is started no more.
//!
//! systemd.unit(5): `NAME.wants/UNIT` and `NAME.requires/UNIT`, and aliases, are links below `/etc/systemd/system`; what
//! the vendor links below `/usr/lib` can only be masked. SysV: an `S` link becomes a `K` link, so that an update of the
//! package does not take the service for a new one. upstart: the `start on` stanza is commented out (`.override` files
//! are not known to the upstart of RHEL 6).

use crate::change::{Before, Change};
use crate::path::{GuestPath, guest_path};
use crate::plan::StepDraft;
use crate::text::TextFile;
use crate::tree::{GuestTree, ReadError};
use serde::{Deserialize, Serialize};

/// One thing that starts a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Start {
    /// A link of systemd or OpenRC that an administrator may remove: wanted, required, alias, runlevel.
    Link {
        /// The service without its suffix.
        service: String,
        /// The link.
        path: GuestPath,
        /// What it says.
        to: String,
    },
    /// A unit that the vendor's own links start: it can be masked.
    Vendor {
        /// The service without its suffix.
        service: String,
        /// The name by which it can be masked, in `/etc/systemd/system`; nothing is there, or a link.
        mask: GuestPath,
        /// What a link there says already.
        before: Option<String>,
    },
    /// A SysV link that starts it in a runlevel.
    Runlevel {
        /// The service.
        service: String,
        /// The `S` link.
        path: GuestPath,
        /// What it says.
        to: String,
        /// The `K` link that takes its place; `None` if there is one already, or in `rcS.d`.
        stop: Option<GuestPath>,
    },
    /// A job of upstart that starts by itself.
    Upstart {
        /// The service.
        service: String,
        /// Its file.
        file: TextFile,
    },
}

impl Start {
    /// Returns the service without its suffix.
    pub fn service(&self) -> &str {
        match self {
            Self::Link { service, .. }
            | Self::Vendor { service, .. }
            | Self::Runlevel { service, .. }
            | Self::Upstart { service, .. } => service,
        }
    }

    fn mask(&self) -> Option<&GuestPath> {
        match self {
            Self::Vendor { mask, .. } => Some(mask),
            _ => None,
        }
    }
}

const ETC: &str = "/etc/systemd/system";
const VENDOR: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

/// Returns everything that starts a service of the guest by itself. Masked units start by nothing.
pub(super) fn starts(tree: &dyn GuestTree) -> Result<Vec<Start>, ReadError> {
    let mut starts = Vec::new();
    systemd(tree, &mut starts)?;
    runlevels(tree, &mut starts)?;
    upstart(tree, &mut starts)?;
    // A mask takes the place of an alias of the same name.
    let masks: Vec<GuestPath> = starts.iter().filter_map(Start::mask).cloned().collect();
    starts.retain(|start| !matches!(start, Start::Link { path, .. } if masks.contains(path)));
    Ok(starts)
}

fn systemd(tree: &dyn GuestTree, starts: &mut Vec<Start>) -> Result<(), ReadError> {
    let etc = guest_path(ETC);
    for name in tree.list(&etc)? {
        let path = etc.join(&name);
        if is_wants(&name) {
            for unit in tree.list(&path)? {
                push_link(tree, path.join(&unit), starts)?;
            }
        } else if name.contains('.') {
            push_link(tree, path, starts)?;
        }
    }
    let mut seen = Vec::new();
    for dir in VENDOR {
        let Some(dir) = tree.canonical(&guest_path(dir))? else { continue };
        if seen.contains(&dir) {
            continue;
        }
        for name in tree.list(&dir)?.iter().filter(|name| is_wants(name)) {
            for unit in tree.list(&dir.join(name))? {
                let mask = etc.join(&unit);
                let before = tree.read_link(&mask)?;
                let is_file = before.is_none() && tree.exists(&mask)?;
                let is_known = starts.iter().any(|start| start.mask() == Some(&mask));
                if !is_file && !is_known && before.as_deref() != Some("/dev/null") {
                    starts.push(Start::Vendor { service: service(&unit).to_owned(), mask, before });
                }
            }
        }
        seen.push(dir);
    }
    Ok(())
}

fn is_wants(name: &str) -> bool {
    name.ends_with(".wants") || name.ends_with(".requires") || name.ends_with(".upholds")
}

/// Adds a link that starts a unit or names it otherwise, unless the unit or the link is masked.
fn push_link(tree: &dyn GuestTree, path: GuestPath, starts: &mut Vec<Start>) -> Result<(), ReadError> {
    let Some(to) = tree.read_link(&path)? else { return Ok(()) };
    let unit = to.rsplit('/').next().unwrap_or(&to).to_owned();
    let mask = tree.read_link(&guest_path(ETC).join(&unit))?;
    if to != "/dev/null" && mask.as_deref() != Some("/dev/null") {
        starts.push(Start::Link { service: service(&unit).to_owned(), path, to });
    }
    Ok(())
}

/// Returns a unit's name without `.service`; units of another kind keep their suffix.
fn service(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

fn runlevels(tree: &dyn GuestTree, starts: &mut Vec<Start>) -> Result<(), ReadError> {
    let mut seen = Vec::new();
    for parent in ["/etc", "/etc/rc.d", "/etc/init.d"] {
        for level in ["S", "2", "3", "4", "5"] {
            let Some(dir) = tree.canonical(&guest_path(parent).join(&format!("rc{level}.d")))? else {
                continue;
            };
            if seen.contains(&dir) {
                continue;
            }
            let names = tree.list(&dir)?;
            for name in &names {
                let Some((order, service)) = start_link(name) else { continue };
                let path = dir.join(name);
                let Some(to) = tree.read_link(&path)? else { continue };
                let is_stopped = names.iter().any(|other| stop_link(other) == Some(service));
                let stop = format!("K{:02}{service}", 100_u8.saturating_sub(order).min(99));
                let stop = (!is_stopped && level != "S").then(|| dir.join(&stop));
                starts.push(Start::Runlevel { service: service.to_owned(), path, to, stop });
            }
            seen.push(dir);
        }
    }
    let openrc = guest_path("/etc/runlevels");
    for level in tree.list(&openrc)? {
        for service in tree.list(&openrc.join(&level))? {
            let path = openrc.join(&level).join(&service);
            if let Some(to) = tree.read_link(&path)? {
                starts.push(Start::Link { service, path, to });
            }
        }
    }
    Ok(())
}

/// Returns order and service of `S20vmware-tools`.
fn start_link(name: &str) -> Option<(u8, &str)> {
    let rest = name.strip_prefix('S')?;
    let order = rest.get(..2)?.parse().ok()?;
    Some((order, rest.get(2..)?))
}

fn stop_link(name: &str) -> Option<&str> {
    let rest = name.strip_prefix('K')?;
    rest.get(..2)?.bytes().all(|byte| byte.is_ascii_digit()).then(|| rest.get(2..))?
}

fn upstart(tree: &dyn GuestTree, starts: &mut Vec<Start>) -> Result<(), ReadError> {
    let dir = guest_path("/etc/init");
    for name in tree.list(&dir)? {
        let Some(service) = name.strip_suffix(".conf") else { continue };
        if !super::FAMILIES.iter().any(|family| family.services.contains(&service)) {
            continue;
        }
        let manual = tree.text(&dir.join(&format!("{service}.override")))?;
        let is_manual = manual.is_some_and(|file| file.text.lines().any(|line| line.trim() == "manual"));
        if let Some(file) = tree.text(&dir.join(&name))?.filter(|_| !is_manual)
            && without_start(&file.text) != file.text
        {
            starts.push(Start::Upstart { service: service.to_owned(), file });
        }
    }
    Ok(())
}

/// Returns an upstart job with its `start on` stanza commented out; the stanza goes on while a parenthesis is open.
fn without_start(text: &str) -> String {
    let (mut result, mut is_inside, mut open) = (String::new(), false, 0_usize);
    for line in text.split_inclusive('\n') {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        is_inside |= words.starts_with(&["start", "on"]);
        if !is_inside {
            result.push_str(line);
            continue;
        }
        let code = line.split('#').next().unwrap_or(line);
        open = (open + code.matches('(').count()).saturating_sub(code.matches(')').count());
        is_inside = open > 0 || code.trim_end().ends_with('\\');
        result.push_str("# ");
        result.push_str(line);
    }
    result
}

/// Adds what is needed so that this starts the service no more.
pub(super) fn disable(step: &mut StepDraft<'_>, start: &Start) {
    match start {
        Start::Link { path, to, .. } => {
            step.push(Change::Remove { path: path.clone(), before: Before::Link(to.clone()) });
        }
        Start::Vendor { mask, before, .. } => {
            let (path, before) = (mask.clone(), before.clone().map(Before::Link));
            step.push(Change::Link { path, before, to: "/dev/null".to_owned() });
        }
        Start::Runlevel { path, to, stop, .. } => {
            step.push(Change::Remove { path: path.clone(), before: Before::Link(to.clone()) });
            if let Some(stop) = stop {
                step.push(Change::Link { path: stop.clone(), before: None, to: to.clone() });
            }
        }
        Start::Upstart { file, .. } => step.edit(file, without_start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstart_job_waits_to_be_started() {
        for (before, after) in [
            ("start on runlevel [2345]\nexec x\n", "# start on runlevel [2345]\nexec x\n"),
            (
                "start on (filesystem\n  and net)\nstop on x\n",
                "# start on (filesystem\n#   and net)\nstop on x\n",
            ),
            ("# start on x\nexec y\n", "# start on x\nexec y\n"),
        ] {
            assert_eq!(without_start(before), after, "{before:?}");
        }
    }
}
