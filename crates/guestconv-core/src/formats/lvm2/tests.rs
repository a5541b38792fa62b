use super::*;

const TEXT: &str = r#"vg-0 { # made up
id = "VGVGVG-aaaa-bbbb-cccc-dddd-eeee-ffffff"
seqno = 7
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
flags = []
extent_size = 8192
physical_volumes {
  pv0 { id = "000000-0000-0000-0000-0000-0000-000000" device = "/dev/a \"b\"" pe_start = 2048 pe_count = 10 }
  pv1 { id = "111111-1111-1111-1111-1111-1111-111111" pe_start = 4096 pe_count = 10 }
}
logical_volumes {
  root { id = "x" status = ["READ", "WRITE", "VISIBLE"] segment_count = 2
    segment2 { start_extent = 3 extent_count = 4 type = "striped" stripe_count = 2 stripe_size = 128
      stripes = [ "pv0", 3, "pv1", 0 ] }
    segment1 { start_extent = 0 extent_count = 3 type = "striped" stripe_count = 1 stripes = ["pv0", 0] } }
  far { status = ["VISIBLE"] segment1 { start_extent = 0 extent_count = 1 type = "striped" stripes = ["pv1", 9] } }
  hole { status = ["VISIBLE"] segment1 { start_extent = 1 extent_count = 1 type = "striped" stripes = ["pv0", 9] } }
  thin { status = ["READ"] segment1 { start_extent = 0 extent_count = 2 type = "thin" transaction_id = -1 } }
}
}
contents = "Text Format Volume Group"
version = 1
description = "vgcreate \\ x"
"#;

/// A physical volume with `text` at `at` in its ring of `ring` bytes.
fn volume(text: &str, at: usize, ring: usize) -> Vec<u8> {
    let mut disk = vec![0; 4096 + ring];
    let put = |disk: &mut Vec<u8>, at: usize, bytes: &[u8]| disk[at..at + bytes.len()].copy_from_slice(bytes);
    let number = |value: usize| u64::try_from(value).unwrap().to_le_bytes();
    put(&mut disk, 512, b"LABELONE\x01");
    put(&mut disk, 532, &[32, 0, 0, 0]);
    put(&mut disk, 536, b"LVM2 001");
    put(&mut disk, 544, &[b'0'; 32]);
    put(&mut disk, 576, &[number(1 << 20), number(1 << 20), number(0), number(0), number(0)].concat());
    put(&mut disk, 616, &[number(4096), number(ring)].concat());
    let crc = crc32(CRC_START, &disk[532..1024]).to_le_bytes();
    put(&mut disk, 528, &crc);
    let (text, room) = (text.as_bytes(), (ring - at).min(text.len()));
    put(&mut disk, 4096 + at, &text[..room]);
    put(&mut disk, 4096 + 512, &text[room..]);
    put(&mut disk, 4100, b"\x20LVM2\x20x[5A%r0N*>\x01\0\0\0");
    put(&mut disk, 4120, &[number(4096), number(ring), number(at), number(text.len())].concat());
    put(&mut disk, 4096 + 56, &crc32(CRC_START, text).to_le_bytes());
    let crc = crc32(CRC_START, &disk[4100..4608]).to_le_bytes();
    put(&mut disk, 4096, &crc);
    disk
}

#[test]
fn a_group_is_read_and_mapped() {
    for (at, ring) in [(512, 16384), (16384 - 700, 16384)] {
        let volume = read(&volume(TEXT, at, ring)).unwrap().unwrap();
        assert_eq!((volume.uuid.as_str(), &volume.damage), ("000000-0000-0000-0000-0000-0000-000000", &None));
        let group = volume.group.unwrap();
        assert_eq!((group.name.as_str(), group.seqno, group.extent_sectors), ("vg-0", 7, 8192));
        let names: Vec<_> =
            group.logical_volumes.iter().map(|volume| (volume.name.as_str(), volume.visible)).collect();
        assert_eq!(names, [("root", true), ("far", true), ("hole", true), ("thin", false)]);
        let number = |uuid: &str| uuid.starts_with("0000").then(|| "254:1".to_owned());
        let line = |start_sectors, sectors, target, parameters: &str| {
            let parameters = parameters.to_owned();
            Ok::<_, Unmapped>(TableLine { start_sectors, sectors, target, parameters })
        };
        let missing = Unmapped::Missing("111111-1111-1111-1111-1111-1111-111111".into());
        let tables: Vec<_> =
            group.logical_volumes.iter().map(|volume| group.table(volume, &number)).collect();
        let thin = Err(Unmapped::Segment("thin".into()));
        assert_eq!(tables, [Err(missing.clone()), Err(missing), Err(Unmapped::Damaged), thin]);
        let root = &group.logical_volumes[0];
        let mapped = group.table(root, &|uuid| Some(format!("254:{}", &uuid[..1]))).unwrap();
        let expected = [
            line(0, 3 * 8192, "linear", "254:0 2048").unwrap(),
            line(3 * 8192, 4 * 8192, "striped", "2 128 254:0 26624 254:1 4096").unwrap(),
        ];
        assert_eq!(mapped, expected);
        assert_eq!(root.segment_types(), ["linear", "striped"]);
        assert_eq!(root.size_bytes(&group), Some(7 * 8192 * 512));
    }
    assert_eq!(mapper_name("vg-0", "root-a"), "vg--0-root--a");
}

#[test]
fn damaged_metadata_is_told() {
    type Harm = fn(&mut Vec<u8>);
    let cases: [(Harm, &str); 5] = [
        (|disk| disk[4096 + 600] ^= 1, "the checksum of the metadata is wrong"),
        (|disk| disk[4096 + 40] ^= 1, "the header of the metadata area is damaged"),
        (|disk| disk.truncate(8000), "the metadata area is outside the device"),
        (|disk| *disk = volume("vg {", 512, 16384), "byte 4 of the metadata: } was expected"),
        (|disk| *disk = volume("../etc { id = 1 }", 512, 16384), "byte 0"),
    ];
    for (harm, expected) in cases {
        let mut disk = volume(TEXT, 512, 16384);
        harm(&mut disk);
        let found = read(&disk).unwrap().unwrap();
        assert_eq!(found.group, None, "{expected}");
        let damage = found.damage.unwrap();
        if expected != "byte 0" {
            assert_eq!(damage, expected);
        } else {
            assert_eq!(damage, "the volume group has an impossible name");
        }
    }
    let mut disk = volume(TEXT, 512, 16384);
    disk[540] ^= 1;
    assert_eq!(read(&disk).unwrap(), None, "a label with a wrong checksum is none");
}

#[test]
fn no_text_makes_it_panic() {
    let deep = "a{".repeat(100_000);
    let list = format!("a=[{}", "[".repeat(100_000));
    for text in
        [deep.as_str(), list.as_str(), "", "a", "a=", "a=\"", "a=\"\\", "#", "a=[1", "}", "a{}", "\u{0}"]
    {
        assert!(Group::parse(text).is_err(), "{:.10}", text);
    }
    for end in 0..TEXT.len() {
        let cut = TEXT.get(..end).unwrap();
        let _ = Group::parse(cut);
        for byte in ["\"", "}", "{", "[", "9999999999999999999", "18446744073709551615"] {
            let group = Group::parse(&format!("{cut}{byte}{}", TEXT.get(end + 1..).unwrap()));
            for group in group.iter() {
                for volume in &group.logical_volumes {
                    let _ = (group.table(volume, &|_| Some("1:1".into())), volume.size_bytes(group));
                }
            }
        }
    }
    let whole = volume(TEXT, 512, 8192);
    for at in 0..1024 {
        let mut disk = whole.clone();
        disk[if at < 512 { at + 512 } else { at - 512 + 4096 }] ^= 0xff;
        let _ = read(&disk).unwrap();
    }
}
