//! cpio archives of the kind that the kernel unpacks into its initramfs: `newc`, magic `070701` or `070702`.
//!
//! A header is 110 ASCII bytes: the magic and thirteen fields of eight hex digits. Name and data follow, each padded to
//! four bytes, counted from the start of the stream. `TRAILER!!!` ends an archive, not the stream: another may follow
//! after any number of NUL bytes (`init/initramfs.c`, `Documentation/driver-api/early-userspace/buffer-format.rst`).
//! Of hard links only the last name carries the data; they belong together by device and inode number within an archive.

use std::io::BufRead;

/// Size of a header in bytes.
pub const HEADER_BYTES: usize = 110;
/// The most that a name may hold, as in the kernel (`PATH_MAX`).
const NAME_CAP_BYTES: u32 = 4096;
/// The name that ends an archive.
const TRAILER: &str = "TRAILER!!!";
/// The mask of the file type in a mode.
pub const TYPE_MASK: u32 = 0o170_000;
/// A directory.
pub const DIRECTORY: u32 = 0o040_000;
/// A regular file.
pub const FILE: u32 = 0o100_000;
/// A symbolic link.
pub const LINK: u32 = 0o120_000;
/// A character device.
pub const CHARACTER: u32 = 0o020_000;

/// Why an archive cannot be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CpioError {
    /// The stream ended inside an entry, or reading failed.
    #[error("the archive breaks off at byte {offset}")]
    Read {
        /// Where in the unpacked stream.
        offset: u64,
        /// What the system or the decompressor said.
        source: std::io::Error,
    },
    /// There is something else where a header should be.
    #[error("there is no cpio header at byte {offset}")]
    Header {
        /// Where in the unpacked stream.
        offset: u64,
    },
    /// An archive does not start at a multiple of four bytes: the kernel refuses it.
    #[error("an archive starts at byte {offset}, which is no multiple of four")]
    Alignment {
        /// Where in the unpacked stream.
        offset: u64,
    },
    /// A file that is wanted is larger than its cap.
    #[error("{name} is larger than {cap_bytes} bytes")]
    TooLarge {
        /// Its name in the archive.
        name: String,
        /// What was allowed.
        cap_bytes: usize,
    },
}

/// What a header says of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The name, without leading `/` or `./`; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// Type and permission bits.
    pub mode: u32,
    /// Inode number, with the device the identity of hard links.
    pub inode: u32,
    /// Major and minor number of the device that it was on.
    pub device: (u32, u32),
    /// How many names the inode has.
    pub links: u32,
    /// Size of the data in bytes.
    pub size_bytes: u32,
    /// Major and minor number that a device node stands for.
    pub node: (u32, u32),
}

/// What comes next in a stream of archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A name; its data is skipped unless [`Reader::data`] is called next.
    Entry(Entry),
    /// The end of an archive; another may follow.
    Trailer,
    /// The end of what can be read as an archive: of the stream, or something that is none (left unread).
    End,
}

/// Reads archives that follow each other in one stream.
pub struct Reader<'a> {
    input: &'a mut dyn BufRead,
    offset: u64,
    unread: u64,
    name: String,
}

impl<'a> Reader<'a> {
    /// Returns a reader of a stream that starts at `offset` bytes, by which archives are aligned.
    pub fn new(input: &'a mut dyn BufRead, offset: u64) -> Self {
        Self { input, offset, unread: 0, name: String::new() }
    }

    /// Returns how many bytes of the stream were read or skipped, the start's offset included.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the next item. NUL bytes between archives are skipped.
    ///
    /// # Errors
    /// [`CpioError`] if the stream breaks off or holds a broken header.
    pub fn next_item(&mut self) -> Result<Item, CpioError> {
        self.skip(self.unread)?;
        self.unread = 0;
        let padding = self.padding();
        self.skip(padding)?;
        self.skip_nul()?;
        let Some(first) = self.peek()? else { return Ok(Item::End) };
        if first != b'0' {
            return Ok(Item::End);
        }
        if !self.offset.is_multiple_of(4) {
            return Err(CpioError::Alignment { offset: self.offset });
        }
        let offset = self.offset;
        let mut header = [0; HEADER_BYTES];
        self.fill(&mut header)?;
        let broken = CpioError::Header { offset };
        let Some((mut entry, name_bytes)) = parsed_header(&header) else { return Err(broken) };
        if name_bytes == 0 || name_bytes > NAME_CAP_BYTES {
            return Err(broken);
        }
        let mut name = vec![0; usize::try_from(name_bytes).map_err(|_| broken)?];
        self.fill(&mut name)?;
        let padding = self.padding();
        self.skip(padding)?;
        let text = String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default());
        self.unread = u64::from(entry.size_bytes);
        if text == TRAILER {
            return Ok(Item::Trailer);
        }
        entry.name = clean(&text);
        self.name.clone_from(&entry.name);
        Ok(Item::Entry(entry))
    }

    /// Returns the data of the entry that was read last.
    ///
    /// # Errors
    /// [`CpioError`] if it is larger than `cap_bytes` or the stream breaks off.
    pub fn data(&mut self, cap_bytes: usize) -> Result<Vec<u8>, CpioError> {
        match usize::try_from(self.unread) {
            Ok(size) if size <= cap_bytes => {
                let mut data = vec![0; size];
                self.unread = 0;
                self.fill(&mut data)?;
                Ok(data)
            }
            _ => Err(CpioError::TooLarge { name: self.name.clone(), cap_bytes }),
        }
    }

    fn padding(&self) -> u64 {
        self.offset.wrapping_neg() % 4
    }

    fn error(&self, source: std::io::Error) -> CpioError {
        CpioError::Read { offset: self.offset, source }
    }

    fn peek(&mut self) -> Result<Option<u8>, CpioError> {
        let offset = self.offset;
        let buffer = self.input.fill_buf().map_err(|source| CpioError::Read { offset, source })?;
        Ok(buffer.first().copied())
    }

    fn advance(&mut self, count: usize) {
        self.input.consume(count);
        self.offset = self.offset.saturating_add(count.try_into().unwrap_or(u64::MAX));
    }

    fn skip_nul(&mut self) -> Result<(), CpioError> {
        loop {
            let offset = self.offset;
            let buffer = self.input.fill_buf().map_err(|source| CpioError::Read { offset, source })?;
            let count = buffer.iter().take_while(|byte| **byte == 0).count();
            if count == 0 {
                return Ok(());
            }
            self.advance(count);
        }
    }

    /// Skips data and padding; padding may be cut off by the end of the stream.
    fn skip(&mut self, mut count: u64) -> Result<(), CpioError> {
        let may_end = count < 4;
        while count > 0 {
            let offset = self.offset;
            let buffer = self.input.fill_buf().map_err(|source| CpioError::Read { offset, source })?;
            if buffer.is_empty() {
                return if may_end { Ok(()) } else { Err(self.error(broken_off())) };
            }
            let step = buffer.len().min(usize::try_from(count).unwrap_or(usize::MAX));
            self.advance(step);
            count = count.saturating_sub(step.try_into().unwrap_or(u64::MAX));
        }
        Ok(())
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), CpioError> {
        self.input.read_exact(into).map_err(|source| self.error(source))?;
        self.offset = self.offset.saturating_add(into.len().try_into().unwrap_or(u64::MAX));
        Ok(())
    }
}

fn broken_off() -> std::io::Error {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof)
}

fn parsed_header(header: &[u8; HEADER_BYTES]) -> Option<(Entry, u32)> {
    let (magic, fields) = header.split_at_checked(6)?;
    if magic != b"070701" && magic != b"070702" {
        return None;
    }
    let mut values = [0; 13];
    for (value, digits) in values.iter_mut().zip(fields.chunks_exact(8)) {
        *value = hex(digits)?;
    }
    let [inode, mode, _, _, links, _, size_bytes, major, minor, node_major, node_minor, name_bytes, _] =
        values;
    let (device, node) = ((major, minor), (node_major, node_minor));
    Some((Entry { name: String::new(), mode, inode, device, links, size_bytes, node }, name_bytes))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// Returns a name of an archive as paths are written here: no `/` in front or behind, no empty, `.` or `..` part.
pub fn clean(name: &str) -> String {
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    parts.join("/")
}

/// Writes one archive. Its entries have inode numbers of their own and one name each.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    inode: u32,
}

/// Why an archive cannot be written: a name or a file is larger than the format can say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is too large for a cpio archive")]
pub struct TooLargeForCpio(pub String);

impl Writer {
    /// Returns an empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory with these permission bits.
    ///
    /// # Errors
    /// [`TooLargeForCpio`] if the name is.
    pub fn directory(&mut self, name: &str, permissions: u32) -> Result<(), TooLargeForCpio> {
        self.entry(name, DIRECTORY | permissions, (0, 0), &[])
    }

    /// Adds a regular file with these permission bits.
    ///
    /// # Errors
    /// [`TooLargeForCpio`] if name or data are.
    pub fn file(&mut self, name: &str, permissions: u32, data: &[u8]) -> Result<(), TooLargeForCpio> {
        self.entry(name, FILE | permissions, (0, 0), data)
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// [`TooLargeForCpio`] if name or target are.
    pub fn link(&mut self, name: &str, target: &str) -> Result<(), TooLargeForCpio> {
        self.entry(name, LINK | 0o777, (0, 0), target.as_bytes())
    }

    /// Adds a character device.
    ///
    /// # Errors
    /// [`TooLargeForCpio`] if the name is.
    pub fn character_device(
        &mut self,
        name: &str,
        permissions: u32,
        node: (u32, u32),
    ) -> Result<(), TooLargeForCpio> {
        self.entry(name, CHARACTER | permissions, node, &[])
    }

    /// Ends the archive and returns it, padded with NUL to a multiple of 512 bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.inode = 0;
        self.put(TRAILER, 0, (0, 0), &[]).expect("the trailer is small");
        self.pad(512);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, node: (u32, u32), data: &[u8]) -> Result<(), TooLargeForCpio> {
        // High numbers: the kernel tells hard links apart by inode only where a link count is above one.
        self.inode = self.inode.saturating_add(1);
        self.put(&clean(name), mode, node, data)
    }

    fn put(&mut self, name: &str, mode: u32, node: (u32, u32), data: &[u8]) -> Result<(), TooLargeForCpio> {
        let too_large = || TooLargeForCpio(name.to_owned());
        let size = u32::try_from(data.len()).map_err(|_| too_large())?;
        let name_bytes = u32::try_from(name.len()).map_err(|_| too_large())?.saturating_add(1);
        if name_bytes > NAME_CAP_BYTES {
            return Err(too_large());
        }
        let inode = if self.inode == 0 { 0 } else { self.inode.saturating_add(0x6763_0000) };
        let links = if mode & TYPE_MASK == DIRECTORY { 2 } else { 1 };
        self.bytes.extend_from_slice(b"070701");
        for field in [inode, mode, 0, 0, links, 0, size, 0, 0, node.0, node.1, name_bytes, 0] {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad(4);
        self.bytes.extend_from_slice(data);
        self.pad(4);
        Ok(())
    }

    fn pad(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(mut bytes: &[u8], offset: u64) -> Vec<String> {
        let mut reader = Reader::new(&mut bytes, offset);
        let mut lines = Vec::new();
        loop {
            match reader.next_item() {
                Ok(Item::Entry(entry)) => match reader.data(100) {
                    Ok(data) => {
                        let data = String::from_utf8(data).unwrap();
                        lines.push(format!("{} {:o} {data}", entry.name, entry.mode));
                    }
                    Err(error) => lines.push(error.to_string()),
                },
                Ok(Item::Trailer) => lines.push("trailer".into()),
                Ok(Item::End) => return lines,
                Err(error) => {
                    lines.push(error.to_string());
                    return lines;
                }
            }
        }
    }

    fn archive(name: &str, data: &str) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.directory("/d", 0o755).unwrap();
        writer.file(name, 0o644, data.as_bytes()).unwrap();
        writer.finish()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::new();
        writer.directory("lib", 0o755).unwrap();
        writer.file("./lib/a", 0o600, b"abc").unwrap();
        writer.link("init", "/sbin/init").unwrap();
        writer.character_device("console", 0o600, (5, 1)).unwrap();
        let bytes = writer.finish();
        assert_eq!(bytes.len() % 512, 0);
        let lines = ["lib 40755 ", "lib/a 100600 abc", "init 120777 /sbin/init", "console 20600 ", "trailer"];
        assert_eq!(items(&bytes, 0), lines);
    }

    #[test]
    fn archives_follow_each_other_at_multiples_of_four() {
        let (one, two) = (archive("one", "1"), archive("two", "22"));
        let both = ["d 40755 ", "one 100644 1", "trailer", "d 40755 ", "two 100644 22", "trailer"];
        for padding in [0, 4, 512, 4096] {
            let bytes = [one.clone(), vec![0; padding], two.clone()].concat();
            assert_eq!(items(&bytes, 0), both, "{padding} bytes of padding");
        }
        let unaligned = [one.clone(), vec![0; 2], two].concat();
        let mut lines = both[..3].to_vec();
        lines.push("an archive starts at byte 1026, which is no multiple of four");
        assert_eq!(items(&unaligned, 512), lines);
        assert_eq!(items(&[one, b"junk".to_vec()].concat(), 0), &both[..3]);
    }

    #[test]
    fn broken_archives_are_errors() {
        let whole = archive("one", "1234");
        for (bytes, last) in [
            (&whole[..50], "the archive breaks off at byte 0"),
            (&whole[..115 + 5 + 100], "the archive breaks off at byte 112"),
            (&b"070707".repeat(30)[..], "there is no cpio header at byte 0"),
            (&b"0707010x".repeat(30)[..], "there is no cpio header at byte 0"),
        ] {
            assert_eq!(items(bytes, 0).last().map(String::as_str), Some(last));
        }
    }

    #[test]
    fn a_large_file_is_kept_only_within_its_cap() {
        let bytes = archive("one", &"x".repeat(101));
        assert_eq!(items(&bytes, 0), ["d 40755 ", "one is larger than 100 bytes", "trailer"]);
    }
}
