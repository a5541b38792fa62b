use super::*;

fn put(disk: &mut [u8], at: usize, bytes: &[u8]) {
    disk[at..at + bytes.len()].copy_from_slice(bytes);
}

const ID: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const UUID: &str = "01020304-0506-0708-090a-0b0c0d0e0f10";
const SIZE: usize = 300 << 10;

/// Offset and bytes of what is written on an empty device.
type Writes<'a> = Vec<(usize, &'a [u8])>;

fn ext<'a>(features: &'a [u8; 12]) -> Writes<'a> {
    vec![(1080, &[0x53, 0xef]), (1024 + 92, features), (1024 + 104, &ID), (1024 + 120, b"root")]
}

fn recognised(writes: &Writes<'_>) -> Option<Recognised> {
    let mut disk = vec![0; SIZE];
    for (at, bytes) in writes {
        put(&mut disk, *at, bytes);
    }
    recognise(&disk).unwrap()
}

#[test]
fn kinds_ids_and_labels_are_blkids() {
    let none = None::<&str>;
    let mut fat = vec![0; 512];
    put(&mut fat, 0, b"\xeb\x58\x90mkfs.fat\0\x02\x01\x20\0\x02");
    put(&mut fat, 21, &[0xf8]);
    put(&mut fat, 36, &[1, 0, 0, 0]);
    put(&mut fat, 44, &[2, 0, 0, 0]);
    put(&mut fat, 67, &[0xd4, 0xc3, 0xb2, 0xa1]);
    put(&mut fat, 510, &[0x55, 0xaa]);
    /// What is there, and kind, UUID, label and dirty.
    type Case<'a> = (Writes<'a>, &'a str, Option<&'a str>, Option<&'a str>, bool);
    let cases: Vec<Case<'_>> = vec![
        (ext(&[0; 12]), "ext2", Some(UUID), Some("root"), false),
        (ext(&[4, 0, 0, 0, 6, 0, 0, 0, 3, 0, 0, 0]), "ext3", Some(UUID), Some("root"), true),
        (ext(&[4, 0, 0, 0, 0x46, 0, 0, 0, 3, 0, 0, 0]), "ext4", Some(UUID), Some("root"), true),
        (ext(&[0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0]), "jbd", Some(UUID), Some("root"), false),
        (vec![(0, b"XFSB"), (32, &ID), (108, b"data\0\0rest")], "xfs", Some(UUID), Some("data"), false),
        (
            vec![(65600, b"_BHRfS_M"), (65568, &ID), (65536 + 0x60, &[1]), (65536 + 0x88, &[1])],
            "btrfs",
            Some(UUID),
            none,
            true,
        ),
        (
            vec![(1024, &[0x10, 0x20, 0xf5, 0xf2]), (1132, &ID), (1148, b"f\0l\0")],
            "f2fs",
            Some(UUID),
            Some("fl"),
            false,
        ),
        (vec![(32768, b"JFS1"), (32904, &ID), (32920, b"jay")], "jfs", Some(UUID), Some("jay"), false),
        (vec![(65588, b"ReIsEr2Fs"), (65620, &ID)], "reiserfs", Some(UUID), none, false),
        (vec![(0, b"hsqs"), (28, &[4])], "squashfs", none, none, false),
        (
            vec![(1024, &[1, 0, 0, 0]), (1036, &ID), (1052, b"sw"), (4086, b"SWAPSPACE2")],
            "swap",
            Some(UUID),
            Some("sw"),
            false,
        ),
        (vec![(1036, &ID), (65526, b"S1SUSPEND\0")], "swsuspend", Some(UUID), none, false),
        (vec![(0, &fat), (33 * 512 + 512, b"IGNORED    ")], "vfat", Some("A1B2-C3D4"), none, false),
        (vec![(0, &fat), (34 * 512, b"ESP        \x08")], "vfat", Some("A1B2-C3D4"), Some("ESP"), false),
        (vec![(3, b"NTFS    "), (72, &[0x42])], "ntfs", Some("0000000000000042"), none, false),
        (vec![(3, b"EXFAT   "), (100, &[4, 3, 2, 1])], "exfat", Some("0102-0304"), none, false),
        (
            vec![(32768, b"\x01CD001\x01"), (32808, b"CDROM   "), (32768 + 813, b"2026112503384200")],
            "iso9660",
            Some("2026-11-25-03-38-42-00"),
            Some("CDROM"),
            false,
        ),
        (
            vec![(0, b"LUKS\xba\xbe\0\x02"), (24, b"box"), (168, b"abc-def\0")],
            "crypto_LUKS",
            Some("abc-def"),
            Some("box"),
            false,
        ),
        (vec![(3, b"-FVE-FS-")], "BitLocker", none, none, false),
        (
            vec![
                (4096, b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
                (4112, &ID),
                (4128, b"host:0"),
                (1080, &[0x53, 0xef]),
            ],
            "linux_raid_member",
            Some(UUID),
            Some("host:0"),
            false,
        ),
        (vec![((300 - 8) << 10, b"\xfc\x4e\x2b\xa9\x01\0\0\0")], "linux_raid_member", none, none, false),
        (
            vec![
                (192 << 10, b"\xfc\x4e\x2b\xa9"),
                ((192 << 10) + 20, &ID[..4]),
                ((192 << 10) + 52, &ID[4..]),
            ],
            "linux_raid_member",
            Some(UUID),
            none,
            false,
        ),
        (vec![(SIZE - 512, &[0xde, 0x11, 0xde, 0x11])], "ddf_raid_member", none, none, false),
        (
            vec![
                (128 << 10, &[0x0c, 0xb1, 0xba]),
                (129 << 10, &[0x0c, 0xb1, 0xba]),
                (130 << 10, &[0x0c, 0xb1, 0xba]),
                (131 << 10, &[0, 0, 0, 0, 0, 0xba, 0xb1, 0x0c]),
            ],
            "zfs_member",
            none,
            none,
            false,
        ),
    ];
    for (writes, kind, uuid, label, dirty) in cases {
        let found = recognised(&writes).map(|found| found.superblock);
        let expected = Superblock {
            kind: found.as_ref().map_or("", |found| found.kind),
            uuid: uuid.map(str::to_owned),
            label: label.map(str::to_owned),
            dirty,
            devices: 1,
            size_bytes: found.as_ref().and_then(|found| found.size_bytes),
            features: found.as_ref().and_then(|found| found.features),
        };
        assert_eq!(found, Some(expected), "{kind}");
        assert_eq!(found.unwrap().kind, kind);
    }
    assert_eq!(recognised(&vec![]), None);
}

#[test]
fn what_lies_under_another_is_named() {
    let mut writes = ext(&[0; 12]);
    writes.extend([(4086, b"SWAPSPACE2".as_slice()), (3, b"NTFS    ")]);
    let found = recognised(&writes).unwrap();
    assert_eq!((found.superblock.kind, found.also), ("ext2", vec!["ntfs"]));
}

#[test]
fn no_bytes_make_it_panic() {
    let magics: Writes<'_> = vec![
        (0, b"\xeb\x58\x90NTFS    "),
        (0, b"\xeb\x58\x90EXFAT   "),
        (0, b"\xeb\x58\x90mkfs.fat"),
        (512, b"LABELONE\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffLVM2 001"),
        (65600, b"_BHRfS_M"),
    ];
    for (at, magic) in magics {
        for fill in [0xff, 0x7f, 0x01, 0x20] {
            for size in [0, 1, 511, 512, 4095, 66000, 70000, SIZE] {
                let mut disk = vec![fill; SIZE];
                put(&mut disk, 510, &[0x55, 0xaa]);
                put(&mut disk, at, magic);
                disk.truncate(size);
                recognise(&disk).unwrap();
            }
        }
    }
}
