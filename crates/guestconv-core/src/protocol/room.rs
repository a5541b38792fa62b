//! Where the agent is: `/init` of an initramfs, and for our own kernel one that is part of it.
//!
//! That kernel is linked with an initramfs of [`ROOM_BYTES`], and the agent's is written over it when the appliance is put
//! together. So a start copies the agent once, into the kernel's first file system, and not three times before that; and the
//! kernel need not be linked again for each agent.

use crate::formats::cpio::{TooLargeForCpio, Writer};

/// The size of the room in bytes.
pub const ROOM_BYTES: usize = 8 << 20;
/// The end of the room. The size of the initramfs follows it in the kernel, 64 bits (`usr/initramfs_data.S`).
pub const MARK: &str = "end of the room for the agent. \n";

/// Why an agent cannot be put into a kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoom {
    /// The kernel was not linked with a room.
    #[error("the kernel has no room for the agent")]
    Missing,
    /// The agent does not fit.
    #[error("the agent's initramfs has {archive_bytes} bytes, and the kernel's room {ROOM_BYTES}")]
    TooSmall {
        /// The size of the agent's initramfs.
        archive_bytes: usize,
    },
    /// The agent is larger than an archive can say.
    #[error(transparent)]
    Archive(#[from] TooLargeForCpio),
}

/// Returns the room as a kernel is linked with it.
pub fn empty() -> Vec<u8> {
    let mut room = vec![0; ROOM_BYTES - MARK.len()];
    room.extend(MARK.as_bytes());
    room
}

/// Puts the agent into the room of a kernel, an ELF file; another that is there goes.
///
/// # Errors
/// [`NoRoom`]; the kernel is as it was then.
pub fn put_agent(kernel: &mut [u8], agent: &[u8]) -> Result<(), NoRoom> {
    let archive = with_agent(agent)?.finish();
    if archive.len() > ROOM_BYTES - MARK.len() {
        return Err(NoRoom::TooSmall { archive_bytes: archive.len() });
    }
    let mut ends = kernel.windows(MARK.len()).enumerate().filter(|(_, bytes)| *bytes == MARK.as_bytes());
    let end = ends.next().filter(|_| ends.next().is_none()).map(|(at, _)| at + MARK.len());
    let start = end.and_then(|end| end.checked_sub(ROOM_BYTES));
    let Some((start, end)) = start.zip(end) else { return Err(NoRoom::Missing) };
    let size = u64::try_from(archive.len()).unwrap_or(u64::MAX).to_le_bytes();
    let Some(room) = kernel.get_mut(start..end + size.len()) else { return Err(NoRoom::Missing) };
    let (room, its_size) = room.split_at_mut(ROOM_BYTES);
    its_size.copy_from_slice(&size);
    let (filled, rest) = room.split_at_mut(archive.len());
    filled.copy_from_slice(&archive);
    if let Some(unused) = rest.len().checked_sub(MARK.len()) {
        rest.iter_mut().take(unused).for_each(|byte| *byte = 0);
    }
    Ok(())
}

/// Returns an initramfs with the agent as `/init` and what it needs, to which more may be added.
///
/// # Errors
/// [`TooLargeForCpio`] if the agent has 4 GiB.
pub fn with_agent(agent: &[u8]) -> Result<Writer, TooLargeForCpio> {
    let mut archive = Writer::new();
    for name in ["dev", "proc", "sys", "run"] {
        archive.directory(name, 0o755)?;
    }
    archive.character_device("dev/console", 0o600, (5, 1))?;
    archive.character_device("dev/null", 0o600, (1, 3))?;
    archive.file("init", 0o755, agent)?;
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::cpio::{Item, Reader};

    /// Returns a kernel with this room in it.
    fn kernel(room: &[u8]) -> Vec<u8> {
        [b"\x7fELF, text".as_slice(), room, &(room.len() as u64).to_le_bytes(), b"data"].concat()
    }

    /// Returns what the kernel would unpack: names, modes, contents.
    fn unpacked(kernel: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let (start, end) = (b"\x7fELF, text".len(), b"\x7fELF, text".len() + ROOM_BYTES);
        let size = u64::from_le_bytes(kernel[end..end + 8].try_into().unwrap());
        let mut input = &kernel[start..start + size as usize];
        let mut reader = Reader::new(&mut input, 0);
        let mut found = Vec::new();
        loop {
            match reader.next_item().unwrap() {
                Item::Entry(entry) => {
                    let data = reader.data(1 << 20).unwrap();
                    found.push((entry.name, entry.mode, data));
                }
                Item::Trailer => {}
                _ => return found,
            }
        }
    }

    #[test]
    fn a_kernel_unpacks_the_agent_that_was_put_into_it_last() {
        let mut kernel = kernel(&empty());
        for agent in [&b"#!agent, the longer one"[..], b"#!agent"] {
            put_agent(&mut kernel, agent).unwrap();
            let expected = [
                ("dev", 0o040_755, &b""[..]),
                ("proc", 0o040_755, b""),
                ("sys", 0o040_755, b""),
                ("run", 0o040_755, b""),
                ("dev/console", 0o020_600, b""),
                ("dev/null", 0o020_600, b""),
                ("init", 0o100_755, agent),
            ];
            let expected = expected.map(|(name, mode, data)| (name.to_owned(), mode, data.to_vec()));
            assert_eq!(unpacked(&kernel), expected);
        }
        let mut fresh = super::tests::kernel(&empty());
        put_agent(&mut fresh, b"#!agent").unwrap();
        assert!(kernel == fresh, "something of the first agent is left");
    }

    #[test]
    fn a_kernel_without_room_is_left_alone() {
        let too_large = vec![7; ROOM_BYTES];
        let twice = [empty(), empty()].concat();
        let archive_bytes = with_agent(&too_large).unwrap().finish().len();
        for (name, kernel, agent, expected) in [
            ("no room", vec![0; 2 * ROOM_BYTES], &b"agent"[..], NoRoom::Missing),
            ("two rooms", kernel(&twice), b"agent", NoRoom::Missing),
            ("less than a room", MARK.into(), b"agent", NoRoom::Missing),
            ("no size", empty(), b"agent", NoRoom::Missing),
            ("too large", kernel(&empty()), &too_large, NoRoom::TooSmall { archive_bytes }),
        ] {
            let mut changed = kernel.clone();
            assert_eq!(put_agent(&mut changed, agent), Err(expected), "{name}");
            assert!(changed == kernel, "{name}");
        }
    }
}
