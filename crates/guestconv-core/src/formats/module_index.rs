//! The binary index that libkmod reads: `modules.dep.bin`, `modules.alias.bin`. It is a radix tree of keys with values;
//! udev loads drivers through it and through nothing else, the text files beside it are for people and busybox.
//!
//! Big-endian. Header: `b007f457`, version `00020001`, then the root node's offset. A node is, in this order and as the
//! flags in the top bits of the offset that leads to it say: a prefix ending in NUL; the first and last byte that
//! children exist for, and their offsets (0: none); a count, and for each value its priority and its text ending in NUL
//! (`boot.md` A.5; the header of kmod's `libkmod-index.c`). Keys are ASCII and may hold the wildcards `*`, `?`, `[…]`.

use std::collections::BTreeMap;

const MAGIC: u32 = 0xB007_F457;
const VERSION: u32 = 0x0002_0001;
const HAS_PREFIX: u32 = 0x8000_0000;
const HAS_VALUES: u32 = 0x4000_0000;
const HAS_CHILDREN: u32 = 0x2000_0000;
const OFFSET_MASK: u32 = 0x0FFF_FFFF;

/// The most values that a reader takes out of an index: Debian's alias index has some 25,000.
const VALUES_CAP: usize = 1_000_000;
/// The longest key that a reader follows, in bytes.
const KEY_CAP_BYTES: usize = 4096;

/// One value of a key; values of lower priority come first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    /// Its rank among the values of all keys: the position of its module in `modules.dep`.
    pub priority: u32,
    /// The text.
    pub text: String,
}

/// An index in the making.
#[derive(Debug, Default)]
pub struct Index {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    prefix: Vec<u8>,
    children: BTreeMap<u8, Node>,
    values: Vec<Value>,
}

impl Index {
    /// Returns an empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value; a key that is not ASCII is left out, as depmod does.
    pub fn insert(&mut self, key: &str, priority: u32, text: &str) {
        if !key.is_ascii() || key.contains('\0') || text.contains('\0') {
            return;
        }
        let mut node = &mut self.root;
        let mut rest = key.as_bytes();
        loop {
            let common = node.prefix.iter().zip(rest).take_while(|(one, other)| one == other).count();
            node.split(common);
            rest = rest.get(common..).unwrap_or_default();
            let Some((first, behind)) = rest.split_first() else { break };
            let behind_copy = || Node { prefix: behind.to_vec(), ..Node::default() };
            node = node.children.entry(*first).or_insert_with(behind_copy);
            rest = behind;
        }
        let value = Value { priority, text: text.to_owned() };
        if !node.values.contains(&value) {
            let at = node.values.partition_point(|other| other.priority < priority);
            node.values.insert(at, value);
        }
    }

    /// Returns the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [MAGIC, VERSION, 0] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        let root = self.root.write(&mut bytes);
        bytes.splice(8..12, root.to_be_bytes());
        bytes
    }
}

impl Node {
    /// Cuts the prefix to `keep` bytes; what is behind becomes a child.
    fn split(&mut self, keep: usize) {
        if keep >= self.prefix.len() {
            return;
        }
        let tail = self.prefix.split_off(keep);
        let Some((first, behind)) = tail.split_first() else { return };
        let lower = Node {
            prefix: behind.to_vec(),
            children: std::mem::take(&mut self.children),
            values: std::mem::take(&mut self.values),
        };
        self.children.insert(*first, lower);
    }

    fn write(&self, bytes: &mut Vec<u8>) -> u32 {
        let children: Vec<(u8, u32)> =
            self.children.iter().map(|(byte, child)| (*byte, child.write(bytes))).collect();
        let mut offset = u32::try_from(bytes.len()).unwrap_or(0) & OFFSET_MASK;
        if !self.prefix.is_empty() {
            offset |= HAS_PREFIX;
            bytes.extend_from_slice(&self.prefix);
            bytes.push(0);
        }
        if let (Some((first, _)), Some((last, _))) = (children.first(), children.last()) {
            offset |= HAS_CHILDREN;
            bytes.extend_from_slice(&[*first, *last]);
            let mut offsets = children.iter().peekable();
            for byte in *first..=*last {
                let child = offsets.next_if(|(child, _)| *child == byte).map_or(0, |(_, offset)| *offset);
                bytes.extend_from_slice(&child.to_be_bytes());
            }
        }
        if !self.values.is_empty() {
            offset |= HAS_VALUES;
            let count = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&count.to_be_bytes());
            for value in &self.values {
                bytes.extend_from_slice(&value.priority.to_be_bytes());
                bytes.extend_from_slice(value.text.as_bytes());
                bytes.push(0);
            }
        }
        offset
    }
}

/// Why a file is no index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no module index that libkmod could read")]
pub struct BrokenIndex;

/// Returns every key and value of an index, in the order of the keys.
///
/// # Errors
/// [`BrokenIndex`] if the file is none, leads out of itself or round in circles.
pub fn entries(bytes: &[u8]) -> Result<Vec<(String, Value)>, BrokenIndex> {
    if (word(bytes, 0)?, word(bytes, 4)?) != (MAGIC, VERSION) {
        return Err(BrokenIndex);
    }
    let mut found = Vec::new();
    let mut visits = 0;
    // Depth first by a stack of our own: a guest's file cannot overflow the thread's.
    let mut todo = vec![(word(bytes, 8)?, Vec::new())];
    while let Some((offset, mut key)) = todo.pop() {
        visits += 1;
        if visits > VALUES_CAP || key.len() > KEY_CAP_BYTES {
            return Err(BrokenIndex);
        }
        let mut at = usize::try_from(offset & OFFSET_MASK).map_err(|_| BrokenIndex)?;
        if offset & HAS_PREFIX != 0 {
            let prefix = text(bytes, at)?;
            at += prefix.len() + 1;
            key.extend_from_slice(prefix);
        }
        let mut children = Vec::new();
        if offset & HAS_CHILDREN != 0 {
            let Some([first, last]) = bytes.get(at..at + 2) else { return Err(BrokenIndex) };
            at += 2;
            for byte in *first..=*last {
                let child = word(bytes, at)?;
                at += 4;
                if child != 0 {
                    children.push((child, [key.as_slice(), &[byte]].concat()));
                }
            }
        }
        if offset & HAS_VALUES != 0 {
            let count = word(bytes, at)?;
            at += 4;
            for _ in 0..count {
                let priority = word(bytes, at)?;
                let value = text(bytes, at + 4)?;
                at += 4 + value.len() + 1;
                let text = String::from_utf8_lossy(value).into_owned();
                found.push((String::from_utf8_lossy(&key).into_owned(), Value { priority, text }));
                if found.len() > VALUES_CAP {
                    return Err(BrokenIndex);
                }
            }
        }
        todo.extend(children.into_iter().rev());
    }
    Ok(found)
}

fn word(bytes: &[u8], at: usize) -> Result<u32, BrokenIndex> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(BrokenIndex)?;
    Ok(u32::from_be_bytes(*word))
}

fn text(bytes: &[u8], at: usize) -> Result<&[u8], BrokenIndex> {
    let rest = bytes.get(at..).ok_or(BrokenIndex)?;
    let end = rest.iter().position(|byte| *byte == 0).ok_or(BrokenIndex)?;
    rest.get(..end).ok_or(BrokenIndex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inserted_is_found() {
        let pairs = [
            ("", 9, "empty"),
            ("pci:v00001AF4d*", 1, "virtio_pci"),
            ("pci:v00001AF4d*", 0, "first"),
            ("pci:v0000", 3, "short"),
            ("virtio:d00000002v*", 2, "virtio_blk"),
            ("virtio:d00000008v*", 4, "virtio_scsi"),
            ("virtio", 5, "virtio"),
        ];
        let mut index = Index::new();
        for (key, priority, text) in pairs {
            index.insert(key, priority, text);
            index.insert(key, priority, text);
        }
        index.insert("ä", 0, "not ASCII");
        let mut expected: Vec<(String, Value)> = pairs
            .iter()
            .map(|(key, priority, text)| {
                ((*key).to_owned(), Value { priority: *priority, text: (*text).to_owned() })
            })
            .collect();
        expected.sort();
        assert_eq!(entries(&index.to_bytes()).unwrap(), expected);
        assert_eq!(entries(&Index::new().to_bytes()).unwrap(), []);
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut index = Index::new();
        index.insert("ab", 1, "x");
        index.insert("c", 2, "y");
        let expected = [
            &[0xb0, 0x07, 0xf4, 0x57, 0, 2, 0, 1, 0x20, 0, 0, 0x1f][..],
            &[b'b', 0, 0, 0, 0, 1, 0, 0, 0, 1, b'x', 0],
            &[0, 0, 0, 1, 0, 0, 0, 2, b'y', 0],
        ]
        .concat();
        let bytes = index.to_bytes();
        assert_eq!(bytes.get(12..34), expected.get(12..));
        assert_eq!(bytes.get(34..), Some(&[b'a', b'c', 0xc0, 0, 0, 12, 0, 0, 0, 0, 0x40, 0, 0, 24][..]));
        assert_eq!(bytes.get(8..12), Some(&[0x20, 0, 0, 34][..]));
    }

    #[test]
    fn a_hostile_index_is_refused() {
        let mut circle = Index::new();
        circle.insert("ab", 1, "x");
        let mut circle = circle.to_bytes();
        let end = circle.len();
        circle.splice(end - 4.., [0x20, 0, 0, u8::try_from(end - 6).unwrap()]);
        let out = [&MAGIC.to_be_bytes()[..], &VERSION.to_be_bytes(), &[0x80, 0, 1, 0]].concat();
        for bytes in [&b""[..], &b"0123456789ab"[..], &out, &circle] {
            assert_eq!(entries(bytes), Err(BrokenIndex));
        }
    }
}
