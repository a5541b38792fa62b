//! systemd-boot: entries of the Boot Loader Specification on the ESP or an extended boot partition.
//!
//! On disk: `loader/entries/*.conf` and `loader/loader.conf` there, `/etc/kernel/cmdline`, from which kernel-install makes
//! later entries. Unified kernel images in `EFI/Linux` carry their command line inside, perhaps signed: they are named in a
//! finding and left alone.

use super::bls::{self, BlsFile};
use super::{Config, Entry, Loader, LoaderKind, Role, paths};
use crate::finding::Finding;
use crate::formats::version;
use crate::linux::Probe;
use crate::path::{GuestPath, guest_path};
use crate::tree::ReadError;

/// Where the partitions that systemd-boot reads may be mounted.
const PLACES: [&str; 3] = ["/efi", "/boot/efi", "/boot"];

/// Reads systemd-boot's files; `None` if it is not there. `grub_reads_bls`: GRUB's menu says `blscfg`, so entries in `/boot`
/// are its own.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub(super) fn facts(
    probe: &Probe<'_>,
    grub_reads_bls: bool,
    findings: &mut Vec<Finding>,
) -> Result<Option<(Loader, Vec<Entry>)>, ReadError> {
    let places = PLACES.map(guest_path);
    let mut configs = Vec::new();
    let mut files: Vec<BlsFile> = Vec::new();
    let mut disk = None;
    let mut settings = String::new();
    for place in &places {
        let mounted = probe.mounts.iter().any(|mount| mount.mountpoint == *place);
        if !mounted || !is_here(probe, place)? {
            continue;
        }
        disk = disk.or_else(|| paths::disk_of(probe, place));
        find_unified(probe, place, findings)?;
        let loader_conf = place.join("loader/loader.conf");
        super::add_config(probe, &mut configs, &loader_conf, Role::Settings)?;
    }
    let Some(disk) = disk else { return Ok(None) };
    if let Some(config) = configs.first() {
        settings.clone_from(&config.file.text);
    }
    for place in places.iter().filter(|place| !(grub_reads_bls && place.as_str() == "/boot")) {
        for file in bls::files(probe, &place.join("loader/entries"))? {
            if files.iter().all(|other| other.file.path != file.file.path) {
                files.push(file);
            }
        }
    }
    sort(&mut files);
    let chosen = chosen(&settings, &files);
    let mut entries = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let entry = bls::entry(probe, LoaderKind::SystemdBoot, file, None, &|_| None)?;
        entries.extend(entry.map(|entry| Entry { default: chosen == Some(at), ..entry }));
    }
    configs.extend(files.into_iter().map(|file| Config { role: Role::BlsEntry, file: file.file }));
    super::add_config(probe, &mut configs, &guest_path("/etc/kernel/cmdline"), Role::KernelCmdline)?;
    Ok(Some((Loader { kind: LoaderKind::SystemdBoot, disk: Some(disk), configs }, entries)))
}

fn is_here(probe: &Probe<'_>, place: &GuestPath) -> Result<bool, ReadError> {
    for path in ["EFI/systemd", "loader/loader.conf", "loader/entries.srel", "EFI/Linux"] {
        if probe.tree.exists(&place.join(path))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn find_unified(probe: &Probe<'_>, place: &GuestPath, findings: &mut Vec<Finding>) -> Result<(), ReadError> {
    let directory = place.join("EFI/Linux");
    for name in probe.tree.list(&directory)?.iter().filter(|name| name.to_lowercase().ends_with(".efi")) {
        let text = "a unified kernel image carries its drivers and command line inside and is left as it is; if it does \
                    not start, make it anew in the guest";
        findings.push(Finding::warning("unified-kernel-left", text).about(directory.join(name).as_str()));
    }
    Ok(())
}

/// The order of the menu: entries with a sort key first, by it; newer versions first (Boot Loader Specification, "Sorting").
fn sort(files: &mut [BlsFile]) {
    files.sort_by(|left, right| {
        let (a, b) = (&left.content, &right.content);
        let keys = a.sort_key.is_none().cmp(&b.sort_key.is_none()).then_with(|| a.sort_key.cmp(&b.sort_key));
        let text = |version: &Option<String>| version.clone().unwrap_or_default();
        let versions = if a.sort_key.is_some() && b.sort_key.is_some() {
            version::compare(&text(&b.version), &text(&a.version))
        } else {
            std::cmp::Ordering::Equal
        };
        keys.then(versions).then_with(|| version::compare(&right.id, &left.id))
    });
}

/// `default` of `loader.conf` is a pattern for the entry's file name; without one the first entry is taken.
fn chosen(settings: &str, files: &[BlsFile]) -> Option<usize> {
    let pattern = settings.lines().find_map(|line| {
        let (key, value) = line.trim().split_once([' ', '\t'])?;
        (key == "default").then(|| value.trim())
    });
    let named = |file: &BlsFile| {
        let name = format!("{}.conf", file.id);
        pattern.is_some_and(|pattern| matches(pattern, &name) || matches(pattern, &file.id))
    };
    files.iter().position(named).or(if files.is_empty() { None } else { Some(0) })
}

/// Returns whether a name fits a pattern with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit() {
        for (pattern, name, fits) in [
            ("debian-*", "debian-6.12.conf", true),
            ("*-?.conf", "a-1.conf", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*a*b", "xaxxb", true),
            ("auto", "debian", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
