//! GRUB's memory disk: an archive with one file. A configuration that is built in as such is read by GRUB's rescue parser,
//! which knows neither `if` nor functions; what is on its memory disk is read as any other.
//!
//! The format is POSIX's `ustar`. Written by ourselves: one header of fixed fields.

const BLOCK: usize = 512;

/// Returns an archive with one file.
pub(super) fn with_file(name: &str, text: &[u8]) -> Vec<u8> {
    let header = |sum: &str| {
        let mut bytes = Vec::new();
        // Owner and time are those of nobody, and of the epoch.
        let size = format!("{:011o}\0", text.len());
        let fields = [
            (name, 100),
            ("0000644\0", 8),
            ("0000000\0", 8),
            ("0000000\0", 8),
            (size.as_str(), 12),
            ("00000000000\0", 12),
            (sum, 8),
            ("0", 1),
            ("", 100),
            ("ustar\x0000", 8),
        ];
        let mut end = 0;
        for (field, width) in fields {
            bytes.extend(field.bytes().take(width));
            end += width;
            bytes.resize(end, 0);
        }
        bytes.resize(BLOCK, 0);
        bytes
    };
    // The checksum is that of the header with spaces in its place.
    let sum: u32 = header("        ").iter().copied().map(u32::from).sum();
    let mut archive = header(&format!("{sum:06o}\0 "));
    archive.extend(text);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn tar_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("a.tar");
        let tar = |options: &[&str]| {
            let output = Command::new("tar").args(options).arg(&archive).output().unwrap();
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
        };
        for text in ["", "x\n", &"y".repeat(512), &"z".repeat(513)] {
            std::fs::write(&archive, with_file("boot/grub/grub.cfg", text.as_bytes())).unwrap();
            assert_eq!(tar(&["-t", "-f"]), ("boot/grub/grub.cfg\n".into(), String::new()));
            assert_eq!(tar(&["-x", "-O", "-f"]), (text.to_owned(), String::new()));
        }
    }
}
