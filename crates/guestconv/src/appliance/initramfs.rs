//! The appliance's initramfs, made in memory: the agent as `/init` and the request beside it.
//!
//! The archive is cpio `newc` (kernel: `Documentation/driver-api/early-userspace/buffer-format.rst`), never compressed.

use std::fs::File;
use std::io::{self, Write};

const DIRECTORY: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
const PRIVATE_FILE: u32 = 0o100_600;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// Returns a file in memory that holds the initramfs: the agent, and files of these names beside it.
pub(crate) fn in_memory<'a>(
    agent: &[u8],
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> io::Result<File> {
    let memory = rustix::fs::memfd_create("guestconv-initramfs", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut archive = Archive { out: File::from(memory), inode: 0, written: 0 };
    for name in ["dev", "proc", "sys", "run"] {
        archive.entry(name, DIRECTORY, (0, 0), b"")?;
    }
    archive.entry("dev/console", CHARACTER_DEVICE, (5, 1), b"")?;
    archive.entry("dev/null", CHARACTER_DEVICE, (1, 3), b"")?;
    for (name, content) in files {
        archive.entry(name, PRIVATE_FILE, (0, 0), content)?;
    }
    archive.entry("init", EXECUTABLE, (0, 0), agent)?;
    archive.entry("TRAILER!!!", 0, (0, 0), b"")?;
    Ok(archive.out)
}

struct Archive {
    out: File,
    inode: u32,
    written: usize,
}

impl Archive {
    fn entry(&mut self, name: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) -> io::Result<()> {
        self.inode += 1;
        let size = u32::try_from(content.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let name_size = name.len() + 1;
        let links = if mode == DIRECTORY { 2 } else { 1 };
        let inode = self.inode;
        // magic ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        let header = format!(
            "070701{inode:08x}{mode:08x}{0:08x}{0:08x}{links:08x}{0:08x}{size:08x}{0:08x}{0:08x}{major:08x}{minor:08x}{name_size:08x}{0:08x}{name}\0",
            0
        );
        self.put(header.as_bytes())?;
        self.put(content)
    }

    /// Writes and pads to four bytes.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len();
        let padding = self.written.next_multiple_of(4) - self.written;
        self.written += padding;
        self.out.write_all([0; 3].get(..padding).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    #[test]
    fn the_archive_is_newc() {
        let mut file = in_memory(b"#!agent", [("request.json", b"{}".as_slice())]).unwrap();
        file.rewind().unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let entries: Vec<&str> = text.split("070701").skip(1).collect();
        let shown: Vec<(&str, &str, String)> = entries
            .iter()
            .map(|entry| (&entry[8..16], &entry[48..56], entry[104..].replace('\0', "|")))
            .collect();
        let expected = [
            ("000041ed", "00000000", "dev|||"),
            ("000041ed", "00000000", "proc||"),
            ("000041ed", "00000000", "sys|||"),
            ("000041ed", "00000000", "run|||"),
            ("00002180", "00000000", "dev/console|||"),
            ("00002180", "00000000", "dev/null||"),
            ("00008180", "00000002", "request.json||{}||"),
            ("000081ed", "00000007", "init||#!agent|"),
            ("00000000", "00000000", "TRAILER!!!||||"),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(mode, size, rest)| (*mode, *size, rest.to_string())).collect();
        assert_eq!(shown, expected);
    }
}
