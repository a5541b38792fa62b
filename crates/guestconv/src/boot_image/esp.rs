//! The EFI system partition: FAT32 with one file, `\EFI\BOOT\BOOTX64.EFI`, which UEFI starts from a disk that its variables do
//! not know (UEFI 2.10, 3.5.1.1). Fields as in Microsoft's "FAT32 File System Specification" 1.03.
//!
//! Written by ourselves: three directories and a file without gaps are a table that counts upwards. The `fatfs` crate would
//! fill both tables with zeros, so that the file were not sparse, and take the time of day into its entries.

use super::Piece;
use super::frame::SECTOR;
use crate::error::{Error, ErrorKind, Result};
use std::ops::Range;

const CLUSTER_SECTORS: u64 = 8;
const CLUSTER: u64 = CLUSTER_SECTORS * SECTOR;
/// Sectors before the tables: boot sector, its information sector, and their copies.
const RESERVED: u64 = 32;
const TABLES: u64 = 2;
/// Where the copy of the boot sector is.
const BACKUP: u64 = 6;
/// The first cluster that a file may have.
const FIRST_CLUSTER: u64 = 2;
/// The clusters of the directories, and the first of the file.
const ROOT: u32 = 2;
const EFI: u32 = 3;
const BOOT: u32 = 4;
const FILE: u32 = 5;
const END_OF_CHAIN: u32 = 0x0fff_ffff;
const DIRECTORY: u8 = 0x10;
const ARCHIVE: u8 = 0x20;
/// 1 January 1980, the first day that FAT knows.
const DAY: u16 = 0x21;

/// The size of everything, in sectors.
struct Geometry {
    start: u64,
    sectors: u32,
    table_sectors: u32,
    clusters: u32,
}

/// Returns the file system for a partition at `place`, in sectors, with `program` as what UEFI starts.
///
/// # Errors
/// `grub-failed` if the program does not fit.
pub(super) fn pieces(place: &Range<u64>, id: u32, program: &[u8]) -> Result<Vec<Piece>> {
    let too_large = || {
        let message =
            format!("GRUB for UEFI has {} bytes, which is too large for its partition", program.len());
        Error::new(ErrorKind::Io, "grub-failed", message)
    };
    let size_bytes = u32::try_from(program.len()).map_err(|_| too_large())?;
    let geometry = Geometry::of(place).ok_or_else(too_large)?;
    let used =
        FILE - ROOT + u32::try_from(u64::from(size_bytes).div_ceil(CLUSTER)).map_err(|_| too_large())?;
    if used > geometry.clusters {
        return Err(too_large());
    }
    let first = geometry.start;
    let mut pieces = Vec::new();
    for at in [first, first + BACKUP] {
        pieces.push(Piece { at: at * SECTOR, bytes: geometry.boot_sector(id) });
        pieces.push(Piece { at: (at + 1) * SECTOR, bytes: geometry.information(used) });
    }
    for table in 0..TABLES {
        let at = first + RESERVED + table * u64::from(geometry.table_sectors);
        pieces.push(Piece { at: at * SECTOR, bytes: chains(used) });
    }
    let directories = [
        (ROOT, vec![entry(b"EFI        ", DIRECTORY, EFI, 0)]),
        (EFI, children(EFI, 0, entry(b"BOOT       ", DIRECTORY, BOOT, 0))),
        (BOOT, children(BOOT, EFI, entry(b"BOOTX64 EFI", ARCHIVE, FILE, size_bytes))),
    ];
    for (cluster, entries) in directories {
        pieces.push(Piece { at: geometry.at(cluster), bytes: entries.concat() });
    }
    pieces.push(Piece { at: geometry.at(FILE), bytes: program.to_vec() });
    Ok(pieces)
}

impl Geometry {
    /// Returns the sizes for a partition; `None` if it is not one for FAT32.
    fn of(place: &Range<u64>) -> Option<Self> {
        let sectors = place.end.checked_sub(place.start)?;
        let most = sectors.checked_sub(RESERVED)? / CLUSTER_SECTORS + FIRST_CLUSTER;
        // Each cluster has four bytes in a table; a table of whole clusters keeps what follows aligned.
        let table_sectors = (most * 4).div_ceil(SECTOR).next_multiple_of(CLUSTER_SECTORS);
        let clusters = sectors.checked_sub(RESERVED + TABLES * table_sectors)? / CLUSTER_SECTORS;
        // With fewer, every reader takes it for FAT16.
        let clusters = u32::try_from(clusters).ok().filter(|clusters| *clusters >= 65525)?;
        let (sectors, table_sectors) = (u32::try_from(sectors).ok()?, u32::try_from(table_sectors).ok()?);
        Some(Self { start: place.start, sectors, table_sectors, clusters })
    }

    /// Returns where a cluster is on the disk, in bytes.
    fn at(&self, cluster: u32) -> u64 {
        let data = self.start + RESERVED + TABLES * u64::from(self.table_sectors);
        data * SECTOR + (u64::from(cluster) - FIRST_CLUSTER) * CLUSTER
    }

    fn boot_sector(&self, id: u32) -> Vec<u8> {
        let mut bytes = vec![0xeb, 0x58, 0x90];
        bytes.extend(b"MSWIN4.1"); // the name that the specification found to be read by everybody
        bytes.extend([0, 2]); // bytes of a sector: 512
        bytes.extend([8, 32, 0, 2]); // sectors of a cluster, reserved sectors, tables
        bytes.extend([0, 0, 0, 0, 0xf8, 0, 0]); // none of FAT16's root directory and sizes; a fixed disk
        bytes.extend([63, 0, 255, 0]); // sectors and heads, which nobody uses
        bytes.extend(u32::try_from(self.start).unwrap_or(0).to_le_bytes());
        bytes.extend(self.sectors.to_le_bytes());
        bytes.extend(self.table_sectors.to_le_bytes());
        bytes.extend([0; 4]); // both tables are kept; version 0
        bytes.extend(ROOT.to_le_bytes());
        bytes.extend([1, 0, 6, 0]); // the information sector, the copy of this one
        bytes.extend([0; 12]);
        bytes.extend([0x80, 0, 0x29]); // a hard disk; id, label and kind follow
        bytes.extend(id.to_le_bytes());
        bytes.extend(b"NO NAME    FAT32   ");
        bytes.resize(510, 0);
        bytes.extend([0x55, 0xaa]);
        bytes
    }

    fn information(&self, used: u32) -> Vec<u8> {
        let mut bytes = b"RRaA".to_vec();
        bytes.resize(484, 0);
        bytes.extend(b"rrAa");
        bytes.extend((self.clusters - used).to_le_bytes());
        bytes.extend((ROOT + used - 1).to_le_bytes()); // the last that was given away
        bytes.resize(510, 0);
        bytes.extend([0x55, 0xaa]);
        bytes
    }
}

/// Returns the table as far as it is used: three clusters alone, then the file's.
fn chains(used: u32) -> Vec<u8> {
    let last = ROOT + used - 1;
    let head = [0x0fff_fff8, END_OF_CHAIN, END_OF_CHAIN, END_OF_CHAIN, END_OF_CHAIN];
    let file = (FILE..=last).map(|cluster| if cluster == last { END_OF_CHAIN } else { cluster + 1 });
    head.into_iter().chain(file).flat_map(u32::to_le_bytes).collect()
}

/// Returns the entries of a directory in another; a parent that is the root is named 0.
fn children(own: u32, parent: u32, child: Vec<u8>) -> Vec<Vec<u8>> {
    let dots = [entry(b".          ", DIRECTORY, own, 0), entry(b"..         ", DIRECTORY, parent, 0)];
    dots.into_iter().chain([child]).collect()
}

fn entry(name: &[u8; 11], kind: u8, cluster: u32, size_bytes: u32) -> Vec<u8> {
    let [a, b, c, d] = cluster.to_le_bytes();
    let mut bytes = name.to_vec();
    bytes.extend([kind, 0, 0, 0, 0]);
    bytes.extend([DAY, DAY].iter().flat_map(|day| day.to_le_bytes())); // made, read
    bytes.extend([c, d, 0, 0]);
    bytes.extend(DAY.to_le_bytes()); // written
    bytes.extend([a, b]);
    bytes.extend(size_bytes.to_le_bytes());
    bytes
}
