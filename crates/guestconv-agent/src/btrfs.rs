//! Subvolumes of a mounted btrfs, by the ioctls that search its trees (kernel: `include/uapi/linux/btrfs.h`, `btrfs_tree.h`).

use crate::mapper::Buffer;
use guestconv_core::formats::block::{le16, le32, le64};
use rustix::ioctl::{ioctl, opcode};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

/// What a file system says of its subvolumes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Subvolumes {
    /// By path, without the top one.
    pub(crate) paths: Vec<String>,
    /// The path of the default one; `None`: the top one.
    pub(crate) default: Option<String>,
    /// The paths of those that cannot be written, as snapshots are that tools keep.
    pub(crate) read_only: Vec<String>,
}

const ROOT_TREE: u64 = 1;
const ROOT_TREE_DIRECTORY: u64 = 6;
const TOP: u64 = 5;
const DIRECTORY_ITEM: u32 = 84;
const ROOT_ITEM: u32 = 132;
const ROOT_BACKREF: u32 = 144;
/// Where the flags are in a `struct btrfs_root_item`, and the one of them that says that it is not written.
const FLAGS_AT: usize = 208;
const READ_ONLY: u64 = 1;
/// Size of `struct btrfs_ioctl_search_args` and of `struct btrfs_ioctl_ino_lookup_args`.
const ARGUMENT_BYTES: usize = 4096;
/// Where the answer of a search begins: behind `struct btrfs_ioctl_search_key`.
const ITEMS_AT: usize = 104;
/// The most subvolumes that are listed: a guest with snapshots has hundreds.
const CAP_SUBVOLUMES: usize = 16384;
const CAP_DEPTH: usize = 64;

struct Item {
    object: u64,
    offset: u64,
    kind: u32,
    data: Vec<u8>,
}

/// Returns the subvolumes of the file system whose top is mounted at a place.
pub(crate) fn subvolumes(top: &Path) -> io::Result<Subvolumes> {
    let top = File::open(top)?;
    let mut named: BTreeMap<u64, (u64, String)> = BTreeMap::new();
    for item in search(&top, (256, u64::MAX), ROOT_BACKREF)? {
        let parse = || {
            let (directory, length) = (le64(&item.data, 0)?, usize::from(le16(&item.data, 16)?));
            Some((directory, std::str::from_utf8(item.data.get(18..18 + length)?).ok()?.to_owned()))
        };
        let Some((directory, name)) = parse() else { continue };
        let within = path_within(&top, item.offset, directory)?;
        named.insert(item.object, (item.offset, format!("{within}{name}")));
    }
    let mut default = None;
    for item in search(&top, (ROOT_TREE_DIRECTORY, ROOT_TREE_DIRECTORY), DIRECTORY_ITEM)? {
        if item.data.get(30..).is_some_and(|name| name.starts_with(b"default")) {
            default = le64(&item.data, 0).filter(|id| *id != TOP);
        }
    }
    let mut paths: Vec<String> = named.keys().filter_map(|id| path(&named, *id)).collect();
    paths.sort();
    let is_read_only = |item: &Item| le64(&item.data, FLAGS_AT).is_some_and(|flags| flags & READ_ONLY != 0);
    let items = search(&top, (256, u64::MAX), ROOT_ITEM)?;
    let mut read_only: Vec<String> =
        items.iter().filter(|item| is_read_only(item)).filter_map(|item| path(&named, item.object)).collect();
    read_only.sort();
    Ok(Subvolumes { paths, default: default.and_then(|id| path(&named, id)), read_only })
}

fn path(named: &BTreeMap<u64, (u64, String)>, id: u64) -> Option<String> {
    let (mut parts, mut id) = (Vec::new(), id);
    while id != TOP {
        let (parent, name) = named.get(&id)?;
        parts.push(name.as_str());
        id = *parent;
        if parts.len() > CAP_DEPTH {
            return None;
        }
    }
    parts.reverse();
    Some(parts.join("/"))
}

fn search(top: &File, objects: (u64, u64), kind: u32) -> io::Result<Vec<Item>> {
    let mut found = Vec::new();
    let mut from = (objects.0, 0_u64);
    loop {
        let mut buffer = Vec::with_capacity(ARGUMENT_BYTES);
        for number in [ROOT_TREE, from.0, objects.1, from.1, u64::MAX, 0, u64::MAX] {
            buffer.extend(number.to_le_bytes());
        }
        for number in [kind, kind, 4096] {
            buffer.extend(number.to_le_bytes());
        }
        buffer.resize(ARGUMENT_BYTES, 0);
        call(top, 17, &mut buffer)?;
        let count = le32(&buffer, 64).unwrap_or(0);
        let mut at = ITEMS_AT;
        let mut last = None;
        for _ in 0..count {
            let Some(item) = item(&buffer, &mut at) else { break };
            last = Some((item.object, item.offset));
            if item.kind == kind {
                found.push(item);
            }
        }
        // The keys are ordered by object, kind, offset: on with the next offset of the last object.
        let Some((object, offset)) = last else { return Ok(found) };
        from = match offset.checked_add(1) {
            Some(offset) => (object, offset),
            None => (object.saturating_add(1), 0),
        };
        if found.len() > CAP_SUBVOLUMES || object == u64::MAX {
            return Ok(found);
        }
    }
}

fn item(buffer: &[u8], at: &mut usize) -> Option<Item> {
    let header = buffer.get(*at..*at + 32)?;
    let length = usize::try_from(le32(header, 28)?).ok()?;
    let data = buffer.get(*at + 32..(*at + 32).checked_add(length)?)?.to_vec();
    *at += 32 + length;
    Some(Item { object: le64(header, 8)?, offset: le64(header, 16)?, kind: le32(header, 24)?, data })
}

/// Returns the path of a directory within its subvolume, with a slash behind; empty at the top.
fn path_within(top: &File, subvolume: u64, directory: u64) -> io::Result<String> {
    let mut buffer: Vec<u8> = [subvolume, directory].iter().flat_map(|number| number.to_le_bytes()).collect();
    buffer.resize(ARGUMENT_BYTES, 0);
    call(top, 18, &mut buffer)?;
    let name = buffer.get(16..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

fn call(top: &File, command: u8, buffer: &mut [u8]) -> io::Result<()> {
    let request = Buffer { opcode: opcode::read_write::<[u8; ARGUMENT_BYTES]>(0x94, command), buffer };
    #[allow(unsafe_code, reason = "btrfs tells its subvolumes by no other interface")]
    // SAFETY: the buffer has the size that the number of the call says.
    Ok(unsafe { ioctl(top, request) }?)
}
