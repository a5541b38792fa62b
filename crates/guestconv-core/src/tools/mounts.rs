//! `/etc/fstab` lines of file systems that only one hypervisor serves: shared folders. systemd waits for every line
//! without `nofail` and drops to emergency mode when one fails, so they are not mounted at boot any more: `noauto`.

use crate::path::guest_path;
use crate::text::TextFile;
use crate::tree::{GuestTree, ReadError};

pub(super) const FSTAB: &str = "/etc/fstab";

/// Returns fstab if it mounts such file systems at boot.
pub(super) fn file(tree: &dyn GuestTree) -> Result<Option<TextFile>, ReadError> {
    let is_ours = |file: &TextFile| {
        super::FAMILIES.iter().any(|family| not_at_boot(&file.text, family.filesystems) != file.text)
    };
    Ok(tree.text(&guest_path(FSTAB))?.filter(is_ours))
}

/// Returns the text of fstab with `noauto` for every file system of these types.
pub(super) fn not_at_boot(text: &str, types: &[&str]) -> String {
    text.split_inclusive('\n')
        .map(|line| line_not_at_boot(line, types).unwrap_or_else(|| line.to_owned()))
        .collect()
}

/// Returns the changed line; `None` if it stays.
fn line_not_at_boot(line: &str, types: &[&str]) -> Option<String> {
    let mut fields = line.split_ascii_whitespace();
    let (device, kind) = (fields.next()?, fields.nth(1)?);
    let options = fields.next().unwrap_or("");
    let is_kept = device.starts_with('#') || !types.contains(&kind);
    if is_kept || options.split(',').any(|option| option == "noauto") {
        return None;
    }
    // The fields are parts of the line: the options end where the fields so far end.
    let after_kind = line.find(kind_and_rest(line)?)? + kind.len();
    let rest = line.get(after_kind..)?;
    let start = after_kind + rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let (head, tail) = (line.get(..start)?, line.get(start..)?);
    if options.is_empty() {
        let end = line.trim_end().len();
        return Some(format!("{} noauto{}", line.get(..end)?, line.get(end..)?));
    }
    Some(format!("{head}{options},noauto{}", tail.strip_prefix(options)?))
}

/// Returns the line from its third field on.
fn kind_and_rest(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for _ in 0..2 {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_whitespace()).trim_start();
    }
    Some(rest).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_folders_are_not_mounted_at_boot() {
        for (before, after) in [
            (".host:/ /mnt/hgfs vmhgfs rw,uid=1 0 0\n", ".host:/ /mnt/hgfs vmhgfs rw,uid=1,noauto 0 0\n"),
            ("vmhgfs\t/vmhgfs\tvmhgfs\tdefaults", "vmhgfs\t/vmhgfs\tvmhgfs\tdefaults,noauto"),
            ("a /b vmhgfs\n", "a /b vmhgfs noauto\n"),
            ("a /b vmhgfs noauto,rw 0 0\n", "a /b vmhgfs noauto,rw 0 0\n"),
            ("# a /b vmhgfs rw 0 0\n\n", "# a /b vmhgfs rw 0 0\n\n"),
            ("/dev/sda1 / ext4 rw 0 1\n", "/dev/sda1 / ext4 rw 0 1\n"),
        ] {
            assert_eq!(not_at_boot(before, &["vmhgfs"]), after, "{before:?}");
        }
    }
}
