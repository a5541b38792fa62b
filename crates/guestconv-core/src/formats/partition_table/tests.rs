use super::*;
use crate::formats::block::crc32;

const SECTOR: usize = 512;

fn put(disk: &mut [u8], at: usize, bytes: &[u8]) {
    disk[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Writes an MBR or a sector of a chain: flag, type, first sector, sectors.
fn mbr(disk: &mut [u8], sector: usize, entries: &[(u8, u8, u32, u32)]) {
    for (index, (flag, kind, start, sectors)) in entries.iter().enumerate() {
        let at = sector * SECTOR + 446 + index * 16;
        put(disk, at, &[*flag, 0, 0, 0, *kind]);
        put(disk, at + 8, &[start.to_le_bytes(), sectors.to_le_bytes()].concat());
    }
    put(disk, sector * SECTOR + 510, &[0x55, 0xaa]);
}

/// Writes a GPT header and its entries: first sector, last sector, name.
fn gpt(disk: &mut [u8], lba: u64, alternate: u64, entries_lba: u64, entries: &[(u64, u64, &str)]) {
    let mut table = vec![0; 128 * 128];
    for (index, (first, last, name)) in entries.iter().enumerate() {
        let at = index * 128;
        put(&mut table, at, &[0xaf; 16]);
        put(&mut table, at + 16, &[u8::try_from(index + 1).unwrap(); 16]);
        put(&mut table, at + 32, &[first.to_le_bytes(), last.to_le_bytes()].concat());
        put(&mut table, at + 48, &[4]);
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        put(&mut table, at + 56, &name);
    }
    let mut header = vec![0; 92];
    put(&mut header, 0, b"EFI PART\0\0\x01\0");
    put(&mut header, 12, &92_u32.to_le_bytes());
    put(&mut header, 24, &[lba.to_le_bytes(), alternate.to_le_bytes()].concat());
    put(&mut header, 56, &[0x11; 16]);
    put(&mut header, 72, &entries_lba.to_le_bytes());
    put(&mut header, 80, &[128_u32.to_le_bytes(), 128_u32.to_le_bytes()].concat());
    put(&mut header, 88, &(!crc32(!0, &table)).to_le_bytes());
    let crc = !crc32(!0, &header);
    put(&mut header, 16, &crc.to_le_bytes());
    put(disk, usize::try_from(lba).unwrap() * SECTOR, &header);
    put(disk, usize::try_from(entries_lba).unwrap() * SECTOR, &table);
}

const SECTORS: usize = 4096;

fn gpt_disk() -> Vec<u8> {
    let mut disk = vec![0; SECTORS * SECTOR];
    mbr(&mut disk, 0, &[(0, 0xee, 1, 4095)]);
    let entries = [(64, 1023, "EFI"), (0, 0, ""), (1024, 2047, "root ä")];
    gpt(&mut disk, 1, 4095, 2, &entries);
    gpt(&mut disk, 4095, 1, 4063, &entries);
    // An entry without a type is no partition.
    for at in [2 * SECTOR + 128, 4063 * SECTOR + 128] {
        put(&mut disk, at, &[0; 16]);
    }
    reseal(&mut disk, 1, 2);
    reseal(&mut disk, 4095, 4063);
    disk
}

fn reseal(disk: &mut [u8], lba: usize, entries_lba: usize) {
    let table = disk[entries_lba * SECTOR..entries_lba * SECTOR + 128 * 128].to_vec();
    let at = lba * SECTOR;
    put(disk, at + 88, &(!crc32(!0, &table)).to_le_bytes());
    put(disk, at + 16, &[0; 4]);
    let crc = !crc32(!0, &disk[at..at + 92]);
    put(disk, at + 16, &crc.to_le_bytes());
}

/// Number, start and size in sectors, type, PARTUUID, label, bootable.
type Row = (u32, u64, u64, String, Option<String>, Option<String>, bool);

fn rows(scan: &Scan) -> Vec<Row> {
    let partitions = scan.table.iter().flat_map(|table| &table.partitions);
    partitions
        .map(|part| {
            let (start, size) = (part.start_bytes / 512, part.size_bytes / 512);
            let (kind, uuid) = (part.type_id.clone(), part.partuuid.clone());
            (part.number, start, size, kind, uuid, part.label.clone(), part.bootable)
        })
        .collect()
}

fn codes(scan: &Scan) -> Vec<&str> {
    scan.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn an_mbr_is_numbered_as_linux_numbers_it() {
    let mut disk = vec![0; SECTORS * SECTOR];
    put(&mut disk, 0, b"\xeb\x63 GRUB ");
    put(&mut disk, 440, &0x1234_abcd_u32.to_le_bytes());
    mbr(&mut disk, 0, &[(0x80, 0x83, 64, 100), (0, 0, 0, 0), (0, 5, 1000, 2000)]);
    mbr(&mut disk, 1000, &[(0, 0x82, 8, 100), (0, 5, 500, 200)]);
    mbr(&mut disk, 1500, &[(0, 0x8e, 8, 150), (0, 5, 0, 500)]); // the link leads back: taken once
    let scan = read(&disk, "sda").unwrap();
    let row = |number, start, size, kind: &str, bootable| {
        (number, start, size, kind.to_owned(), Some(format!("1234abcd-{number:02x}")), None, bootable)
    };
    let expected = [
        row(1, 64, 100, "83", true),
        row(3, 1000, 2000, "05", false),
        row(5, 1008, 100, "82", false),
        row(6, 1508, 150, "8e", false),
    ];
    assert_eq!(rows(&scan), expected);
    let table = scan.table.unwrap();
    assert_eq!(
        (table.kind, table.id.as_str(), scan.boot_code),
        (TableKind::Mbr, "1234abcd", Some(BootCode::Grub))
    );
    assert_eq!(table.partitions[1].device.0, "/dev/sda3");
}

#[test]
fn a_gpt_is_read_or_its_backup() {
    let row = |number: u32, start, size, uuid: &str, label: &str| {
        let kind = "afafafaf-afaf-afaf-afaf-afafafafafaf".to_owned();
        (number, start, size, kind, Some(uuid.to_owned()), Some(label.to_owned()), true)
    };
    let both = [
        row(1, 64, 960, "01010101-0101-0101-0101-010101010101", "EFI"),
        row(3, 1024, 1024, "03030303-0303-0303-0303-030303030303", "root ä"),
    ];
    let table: &[Row] = &both;
    type Harm = fn(&mut Vec<u8>);
    let cases: [(&str, Harm, &[Row], &[&str]); 9] = [
        ("whole", |_| {}, table, &[]),
        ("primary header", |disk| disk[SECTOR + 40] ^= 1, table, &["gpt-primary-damaged"]),
        ("primary entries", |disk| disk[2 * SECTOR + 40] ^= 1, table, &["gpt-primary-damaged"]),
        ("backup", |disk| disk[4095 * SECTOR] = 0, table, &["gpt-backup-damaged"]),
        ("both", |disk| (disk[SECTOR], disk[4095 * SECTOR]) = (0, 0), &[], &["gpt-damaged"]),
        ("enlarged", |disk| disk.resize(SECTORS * SECTOR * 2, 0), table, &["gpt-backup-not-at-end"]),
        ("cut", |disk| disk.truncate(3000 * SECTOR), table, &["disk-truncated"]),
        ("cut in a partition", |disk| disk.truncate(1500 * SECTOR), table, &["disk-truncated"]),
        ("no MBR", |disk| disk[510] = 0, &[], &["gpt-without-mbr"]),
    ];
    for (name, harm, expected, expected_codes) in cases {
        let mut disk = gpt_disk();
        harm(&mut disk);
        let scan = read(&disk, "nvme0n1").unwrap();
        assert_eq!((rows(&scan).as_slice(), codes(&scan).as_slice()), (expected, expected_codes), "{name}");
    }
    let table = read(&gpt_disk(), "nvme0n1").unwrap().table.unwrap();
    assert_eq!(table.id, "11111111-1111-1111-1111-111111111111");
    assert_eq!(table.partitions[0].device.0, "/dev/nvme0n1p1");
}

#[test]
fn two_tables_that_disagree_are_found() {
    for (entries, kind, code) in [
        ([(0, 0xee, 1, 63), (0x80, 0x83, 1024, 1024)], TableKind::Gpt, "hybrid-mbr"),
        ([(0, 0xee, 1, 63), (0x80, 0x83, 1024, 1000)], TableKind::Gpt, "hybrid-mbr-differs"),
        ([(0x80, 0x83, 64, 64), (0, 0x83, 1024, 1000)], TableKind::Mbr, "gpt-stale"),
    ] {
        let mut disk = gpt_disk();
        put(&mut disk, 440, b"sign");
        mbr(&mut disk, 0, &entries);
        let scan = read(&disk, "sda").unwrap();
        assert_eq!((scan.table.as_ref().map(|table| table.kind), codes(&scan)), (Some(kind), vec![code]));
    }
}

#[test]
fn a_dynamic_disk_is_named() {
    let mut disk = vec![0; 4096 * SECTOR];
    put(&mut disk, 440, b"sign");
    mbr(&mut disk, 0, &[(0x80, 0x42, 63, 1024)]);
    assert_eq!(codes(&read(&disk, "sda").unwrap()), [] as [&str; 0], "the type alone is no proof");
    put(&mut disk, 6 * SECTOR, b"PRIVHEAD");
    assert_eq!(codes(&read(&disk, "sda").unwrap()), ["dynamic-disk"]);
    let table = |type_id: &str| PartitionTable {
        kind: TableKind::Gpt,
        id: String::new(),
        partitions: vec![Partition {
            device: partition_device("sda", 1),
            number: 1,
            start_bytes: 0,
            size_bytes: 0,
            type_id: type_id.into(),
            partuuid: None,
            label: None,
            bootable: false,
        }],
    };
    for (type_id, expected) in [
        ("5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", true),
        ("af9b60a0-1431-4f62-bc68-3311714a69ad", true),
        ("0fc63daf-8483-4772-8e79-3d69d8477de4", false),
    ] {
        let found = ldm::finding(&disk, &table(type_id)).unwrap();
        assert_eq!(
            found.map(|finding| finding.code),
            expected.then(|| "dynamic-disk".to_owned()),
            "{type_id}"
        );
    }
}

#[test]
fn a_disk_without_a_table_has_none() {
    let mut fat = vec![0; 64 * SECTOR];
    put(&mut fat, 0, b"\xeb\x3c\x90mkfs.fat");
    put(&mut fat, 54, b"FAT16   ");
    put(&mut fat, 510, &[0x55, 0xaa]);
    let mut code = fat.clone();
    put(&mut code, 446, &[0x33; 64]);
    for disk in [vec![], vec![0; 100], vec![0; 64 * SECTOR], fat, code] {
        let scan = read(&disk, "sda").unwrap();
        assert_eq!((scan.table, scan.findings), (None, vec![]), "{} bytes", disk.len());
    }
}

#[test]
fn boot_code_is_named() {
    for (at, text, expected) in [
        (0, b"".as_slice(), None),
        (0x180, b"GRUB \0Geom\0Hard Disk", Some(BootCode::Grub)),
        (6, b"LILO", Some(BootCode::Lilo)),
        (300, b"Missing operating system.\r\nOperating system load error.\r\n", Some(BootCode::Syslinux)),
        (300, b"Invalid partition table\0Error loading operating system\0", Some(BootCode::Windows)),
        (3, b"something", Some(BootCode::Unknown)),
    ] {
        let mut disk = vec![0; SECTOR];
        put(&mut disk, at, text);
        assert_eq!(read(&disk, "sda").unwrap().boot_code, expected, "{text:?}");
    }
}

#[test]
fn no_damage_makes_it_panic() {
    let mut chain = gpt_disk();
    mbr(&mut chain, 0, &[(0, 0xee, 1, 4095), (0, 5, 1000, 3000), (0, 0xf, u32::MAX, u32::MAX)]);
    mbr(&mut chain, 1000, &[(0, 0x83, u32::MAX, u32::MAX), (0, 5, u32::MAX, u32::MAX)]);
    for at in (440..SECTOR)
        .chain(SECTOR..SECTOR + 92)
        .chain(2 * SECTOR..2 * SECTOR + 256)
        .chain(1000 * SECTOR + 440..1001 * SECTOR)
        .chain(4095 * SECTOR..4095 * SECTOR + 92)
    {
        for value in [0, 0x7f, 0xff] {
            let mut disk = chain.clone();
            disk[at] = value;
            if at % 64 == 0 {
                disk.truncate(at + 1);
            }
            read(&disk, "sda").unwrap();
        }
    }
}
