//! A disk that is put together is what the layout says: read back by our own parsers, and by other people's.

use super::frame::FIRST_USABLE;
use super::*;
use guestconv_core::formats::block::ReadAt;
use guestconv_core::formats::partition_table::{self, Scan, partition_device};
use guestconv_core::formats::superblock;
use guestconv_core::lay_out::{Content, GrubImage, HEAD_BYTES};
use guestconv_core::layout::{BootCode, GPT_BIOS_BOOT, GPT_ESP, Partition, PartitionTable, TableKind};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const MIB: u64 = 1 << 20;

/// Returns the host's GRUB; `None`, and says so, if there is none.
pub(super) fn grub() -> Option<Grub> {
    let grub = Grub::find(None);
    if let Err(error) = &grub {
        eprintln!("skipped: {error}");
    }
    grub.ok()
}

pub(super) fn lay_out(content_bytes: u64, tail_bytes: u64) -> LayOut {
    let rows = [
        (1, HEAD_BYTES, content_bytes, "0fc63daf-8483-4772-8e79-3d69d8477de4"),
        (14, 34 * 512, MIB - 34 * 512, GPT_BIOS_BOOT),
        (15, MIB, HEAD_BYTES - MIB, GPT_ESP),
    ];
    let partition = |(number, start_bytes, size_bytes, type_id): (u32, u64, u64, &str)| Partition {
        device: partition_device("sda", number),
        number,
        start_bytes,
        size_bytes,
        type_id: type_id.to_owned(),
        partuuid: Some(format!("6f2f3f4f-0001-8001-8001-ec20000000{number:02}")),
        label: (number == 1).then(|| "Wurzel \u{1f332}".to_owned()),
        bootable: number == 1,
    };
    LayOut {
        disk: "sda".into(),
        before: Content {
            size_bytes: content_bytes,
            filesystem: "ext4".into(),
            uuid: "6f2f3f4f-0001-4001-8001-ec2000000001".into(),
            features: 0x2c2,
        },
        head_bytes: HEAD_BYTES,
        size_bytes: HEAD_BYTES + content_bytes + tail_bytes,
        table: PartitionTable {
            kind: TableKind::Gpt,
            id: "89ce0ee8-33d7-8ee5-b0e2-3c3a32b0e04c".into(),
            partitions: rows.into_iter().map(partition).collect(),
        },
        esp_id: "1A2B-3C4D".into(),
        grub: GrubImage { prefix: "/boot/grub".into(), config: "legacy_configfile /menu.lst\n".into() },
    }
}

/// Writes head and tail, GRUB and all.
fn write(lay_out: &LayOut, grub: &Grub, file: &File) -> Result<()> {
    begin(lay_out, grub, file)?.finish(file)
}

/// Writes the boot image of a layout and puts the disk together around `content`.
pub(super) fn disk(lay_out: &LayOut, grub: &Grub, content: &[u8], dir: &Path) -> PathBuf {
    let path = dir.join("disk.img");
    let file = File::options().create(true).read(true).write(true).truncate(false).open(&path).unwrap();
    write(lay_out, grub, &file).unwrap();
    put_together(lay_out, &file, content);
    path
}

/// Puts a disk together of head and tail, and content between them.
fn put_together(lay_out: &LayOut, file: &File, content: &[u8]) {
    let tail_bytes = file.metadata().unwrap().len() - HEAD_BYTES;
    assert_eq!(tail_bytes, lay_out.size_bytes - HEAD_BYTES - lay_out.before.size_bytes);
    let mut tail = vec![0; tail_bytes as usize];
    FileExt::read_exact_at(file, &mut tail, HEAD_BYTES).unwrap();
    file.set_len(lay_out.size_bytes).unwrap();
    file.write_all_at(content, HEAD_BYTES).unwrap();
    file.write_all_at(&tail, lay_out.size_bytes - tail_bytes).unwrap();
}

/// A part of a file.
struct Part {
    file: File,
    at: u64,
    size_bytes: u64,
}

impl ReadAt for Part {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        FileExt::read_exact_at(&self.file, buffer, self.at + offset)
    }
}

impl Part {
    /// Copies it into a file of its own, but for what is zero.
    fn copy(&self, dir: &Path) -> PathBuf {
        let path = dir.join("part.img");
        let file = File::create(&path).unwrap();
        file.set_len(self.size_bytes).unwrap();
        for at in (0..self.size_bytes).step_by(MIB as usize) {
            let bytes = self.bytes_at(at, MIB as usize).unwrap();
            if bytes.iter().any(|byte| *byte != 0) {
                file.write_all_at(&bytes, at).unwrap();
            }
        }
        path
    }
}

/// Runs a program that checks; what is not installed is said and passed.
fn check(program: &str, arguments: &[&str], path: &Path) -> Option<(bool, String)> {
    match Command::new(program).args(arguments).arg(path).output() {
        Ok(output) => Some((output.status.success(), String::from_utf8(output.stdout).unwrap())),
        Err(error) => {
            eprintln!("skipped: {program}: {error}");
            None
        }
    }
}

#[test]
fn a_disk_that_is_put_together_is_what_the_layout_says() {
    let Some(grub) = grub() else { return };
    // The last has no more room than GPT's second copy takes: a volume that could not grow.
    for (content_bytes, tail_bytes) in [(8 * MIB, MIB), (8 * MIB + 512, 2 * MIB - 512), (MIB, 33 * 512)] {
        let dir = tempfile::tempdir().unwrap();
        let lay_out = lay_out(content_bytes, tail_bytes);
        let path = disk(&lay_out, &grub, &vec![0x55; content_bytes as usize], dir.path());
        let image = Part { file: File::open(&path).unwrap(), at: 0, size_bytes: lay_out.size_bytes };
        let scan = partition_table::read(&image, "sda").unwrap();
        let expected = Scan {
            table: Some(lay_out.table.clone()),
            boot_code: Some(BootCode::Grub),
            findings: Vec::new(),
        };
        assert_eq!(scan, expected);
        if let Some((is_good, said)) = check("sgdisk", &["-v"], &path) {
            assert!(is_good && said.contains("No problems found"), "{said}");
        }
        let esp = Part { at: MIB, size_bytes: HEAD_BYTES - MIB, ..image };
        let found = superblock::recognise(&esp).unwrap().unwrap();
        let identity = |found: superblock::Superblock| (found.kind, found.uuid, found.label);
        assert_eq!(identity(found.superblock), ("vfat", Some("1A2B-3C4D".to_owned()), None));
        assert_eq!(found.also, Vec::<&str>::new());
        let path = esp.copy(dir.path());
        if let Some((is_good, said)) = check("fsck.vfat", &["-n"], &path) {
            // Its version, and how much there is: nothing that it found.
            assert!(is_good && said.lines().count() == 2 && said.contains(": 3 files, "), "{said}");
        }
        let program = Command::new("mtype").arg("-i").arg(&path).arg("::/EFI/BOOT/BOOTX64.EFI").output();
        if let Ok(output) = program {
            assert!(output.stdout == grub.efi(&lay_out, &Cancel::default()).unwrap());
        }
    }
}

#[test]
fn before_grub_is_made_a_disk_has_its_tables_and_nothing_else() {
    let Some(grub) = grub() else { return };
    let lay_out = lay_out(8 * MIB, MIB);
    let file = tempfile::tempfile().unwrap();
    drop(begin(&lay_out, &grub, &file).unwrap());
    let mut behind = vec![0; (HEAD_BYTES - 34 * 512) as usize];
    FileExt::read_exact_at(&file, &mut behind, 34 * 512).unwrap();
    assert!(behind.iter().all(|byte| *byte == 0), "neither GRUB nor an ESP");
    put_together(&lay_out, &file, &vec![0x55; 8 * MIB as usize]);
    let image = Part { file, at: 0, size_bytes: lay_out.size_bytes };
    let scan = partition_table::read(&image, "sda").unwrap();
    assert_eq!(scan, Scan { table: Some(lay_out.table), boot_code: None, findings: Vec::new() });
}

#[test]
fn before_grub_for_bios_is_made_a_disk_has_all_that_a_look_sees() {
    let Some(grub) = grub() else { return };
    let lay_out = lay_out(8 * MIB, MIB);
    let frame = Frame::of(&lay_out).unwrap();
    // Sector 0 and the tables, GRUB for BIOS, and of the EFI system partition what is not empty.
    let read = |file: &File| {
        let places = [0..FIRST_USABLE, frame.bios_boot.clone(), frame.esp.start..frame.esp.start + 16384];
        places.map(|sectors| {
            let mut bytes = vec![0; ((sectors.end - sectors.start) * 512) as usize];
            FileExt::read_exact_at(file, &mut bytes, sectors.start * 512).unwrap();
            bytes
        })
    };
    let file = tempfile::tempfile().unwrap();
    let mut making = begin(&lay_out, &grub, &file).unwrap();
    making.show(&file).unwrap();
    let [sector, bios_boot, esp] = read(&file);
    assert!(bios_boot.iter().all(|byte| *byte == 0), "GRUB for BIOS is there already");
    making.finish(&file).unwrap();
    let [sector_then, bios_boot, esp_then] = read(&file);
    assert!(sector == sector_then && esp == esp_then, "a look would have seen something else");
    let core = &core_pieces(&frame, &grub, &lay_out, &Cancel::default()).unwrap()[0].bytes;
    assert!(bios_boot.starts_with(core));
}

#[test]
fn the_file_is_sparse_and_the_same_each_time_whatever_was_in_it() {
    let Some(grub) = grub() else { return };
    let lay_out = lay_out(1 << 40, 3 * MIB);
    let mut file = tempfile::tempfile().unwrap();
    write(&lay_out, &grub, &file).unwrap();
    let metadata = file.metadata().unwrap();
    assert_eq!(metadata.len(), HEAD_BYTES + 3 * MIB);
    assert!(metadata.blocks() * 512 < 4 * MIB, "{} bytes", metadata.blocks() * 512);
    let read = |file: &mut File| {
        let mut bytes = vec![0; (HEAD_BYTES + 3 * MIB) as usize];
        FileExt::read_exact_at(&*file, &mut bytes, 0).unwrap();
        bytes
    };
    let first = read(&mut file);
    file.write_all_at(&[0xaa; 100_000], 40 * MIB).unwrap();
    file.write_all_at(&[0xaa; 100_000], HEAD_BYTES + 4 * MIB).unwrap();
    write(&lay_out, &grub, &file).unwrap();
    assert!(read(&mut file) == first, "it depends on what was there, or on the time");
    assert_eq!(file.metadata().unwrap().len(), HEAD_BYTES + 3 * MIB);
}

#[test]
fn a_layout_that_we_never_make_is_a_bug() {
    let Some(grub) = grub() else { return };
    type Edit = fn(&mut LayOut);
    let edits: [(&str, Edit); 21] = [
        ("head", |it| it.head_bytes = MIB),
        ("no content", |it| it.before.size_bytes = 0),
        ("half a sector of content", |it| it.before.size_bytes += 256),
        ("huge content", |it| it.before.size_bytes = u64::MAX / 512 * 512),
        ("half a sector of disk", |it| it.size_bytes += 1),
        ("no tail", |it| it.size_bytes -= MIB),
        ("tail too small", |it| it.size_bytes -= MIB - 32 * 512),
        ("UUID with a command", |it| it.before.uuid = "1 root; halt".into()),
        ("no UUID", |it| it.before.uuid.clear()),
        ("control character", |it| it.grub.config.push('\u{1b}')),
        ("prefix with a line", |it| it.grub.prefix = "/boot\u{0}".into()),
        ("long configuration", |it| it.grub.config = "a".repeat(100_000)),
        ("MBR", |it| it.table.kind = TableKind::Mbr),
        ("disk GUID", |it| it.table.id = "89ce0ee833d78ee5b0e23c3a32b0e04c".into()),
        ("partition GUID", |it| it.table.partitions[0].partuuid = None),
        ("type", |it| it.table.partitions[1].type_id = GPT_ESP.into()),
        ("number", |it| it.table.partitions[0].number = 2),
        ("place", |it| it.table.partitions[0].start_bytes -= 512),
        ("size", |it| it.table.partitions[2].size_bytes += 512),
        ("one more", |it| it.table.partitions.push(it.table.partitions[0].clone())),
        ("volume id", |it| it.esp_id = "1A2B3C4D".into()),
    ];
    let file = tempfile::tempfile().unwrap();
    for (name, edit) in edits {
        let mut lay_out = lay_out(8 * MIB, MIB);
        edit(&mut lay_out);
        let error = write(&lay_out, &grub, &file).map_err(|error| (error.kind(), error.code().to_owned()));
        assert_eq!(error, Err((crate::ErrorKind::Bug, "lay-out-wrong".into())), "{name}");
    }
    assert_eq!(file.metadata().unwrap().len(), 0);
}

#[test]
fn each_piece_has_its_own_place() {
    let Some(grub) = grub() else { return };
    let lay_out = lay_out(8 * MIB, MIB);
    let frame = Frame::of(&lay_out).unwrap();
    let made =
        [seen_pieces, core_pieces].map(|pieces| pieces(&frame, &grub, &lay_out, &Cancel::default()).unwrap());
    let pieces = made.into_iter().flatten().chain(gpt::pieces(&frame).unwrap());
    let places: BTreeSet<(u64, u64)> =
        pieces.map(|piece| (piece.at, piece.at + piece.bytes.len() as u64)).collect();
    let places: Vec<_> = places.into_iter().collect();
    assert!(places.is_sorted_by(|one, next| one.1 <= next.0), "{places:?}");
}
