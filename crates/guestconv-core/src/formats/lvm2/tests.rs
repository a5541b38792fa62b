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
  other { status = ["READ"] segment1 { start_extent = 0 extent_count = 2 type = "vdo" transaction_id = -1 } }
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
        assert_eq!(names, [("root", true), ("far", true), ("hole", true), ("other", false)]);
        let number = |uuid: &str| uuid.starts_with("0000").then(|| "254:1".to_owned());
        let missing = Unmapped::Missing("111111-1111-1111-1111-1111-1111-111111".into());
        let tables: Vec<_> = names.iter().map(|(name, _)| Mappings::new(&group, &number).add(name)).collect();
        let other = Err(Unmapped::Segment("vdo".into()));
        assert_eq!(tables, [Err(missing.clone()), Err(missing), Err(Unmapped::Damaged), other]);
        let root = &group.logical_volumes[0];
        let expected =
            ["root: 0 24576 linear 254:0 2048", "root: 24576 32768 striped 2 128 254:0 26624 254:1 4096"];
        assert_eq!(tables_of(&group, &["root"]).unwrap(), expected);
        assert_eq!(root.segment_types(), ["linear", "striped"]);
        assert_eq!(root.size_bytes(&group), Some(7 * 8192 * 512));
    }
    assert_eq!(mapper_name("vg-0", "root-a"), "vg--0-root--a");
    assert_eq!(mapper_name("vg", "a-real/real"), "vg-a--real-real");
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
                    let number = |_: &str| Some("1:1".into());
                    let _ = (Mappings::new(group, &number).add(&volume.name), volume.size_bytes(group));
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

/// Returns the lines of the tables of volumes and all below them, as `dmsetup table` prints them with names for numbers.
fn tables_of(group: &Group, volumes: &[&str]) -> Result<Vec<String>, Unmapped> {
    let number = |uuid: &str| (!uuid.starts_with('9')).then(|| format!("254:{}", &uuid[..1]));
    let mut mappings = Mappings::new(group, &number);
    volumes.iter().try_for_each(|volume| mappings.add(volume))?;
    let line = |name: &str, line: &TableLine| {
        let parameters = line.parameters(&|below| Some(format!("<{below}>"))).unwrap();
        format!("{name}: {} {} {} {parameters}", line.start_sectors, line.sectors, line.target)
    };
    let all = mappings.made().iter();
    Ok(all
        .flat_map(|mapping| mapping.table.iter().map(|l| line(&mapping.name, l)).collect::<Vec<_>>())
        .collect())
}

/// A group with the volumes of `text`, on three physical volumes of which the last is missing; extents of one sector.
fn group(volumes: &str) -> Group {
    let physical = |number: u32| format!(r#"pv{number} {{ id = "{number}" pe_start = 0 }}"#);
    let text = format!(
        "vg {{ id = \"g\" seqno = 1 extent_size = 1 physical_volumes {{ {} {} {} }} logical_volumes {{ {volumes} }} }}",
        physical(0),
        physical(1),
        physical(9)
    );
    Group::parse(&text).unwrap()
}

/// A volume of one segment of eight extents.
fn segment(name: &str, flags: &str, rest: &str) -> String {
    format!("{name} {{ status = [{flags}] segment1 {{ start_extent = 0 extent_count = 8 {rest} }} }}\n")
}

fn linear(name: &str, flags: &str, on: &str) -> String {
    segment(name, flags, &format!(r#"type = "striped" stripes = ["{on}", 0]"#))
}

const SHOWN: &str = r#""READ", "VISIBLE""#;

#[test]
fn every_kind_of_volume_is_mapped_with_what_it_lies_on() {
    let part = |name: &str, on: &str| linear(name, r#""READ""#, on);
    let cases = [
        (
            "a mirror, without its log",
            part("m_0", "pv0")
                + &part("m_1", "pv1")
                + &segment(
                    "v",
                    SHOWN,
                    r#"type = "mirror" region_size = 4 mirror_log = "m_log" mirrors = ["m_0", 0, "m_1", 0]"#,
                ),
            vec![
                "m_0: 0 8 linear 254:0 0",
                "m_1: 0 8 linear 254:1 0",
                "v: 0 8 mirror core 2 4 nosync 2 <m_0> 0 <m_1> 0",
            ],
        ),
        (
            "RAID 1 of which a leg is missing",
            part("i0", "pv0")
                + &part("m0", "pv0")
                + &part("i1", "pv9")
                + &part("m1", "pv1")
                + &segment(
                    "v",
                    SHOWN,
                    r#"type = "raid1" device_count = 2 region_size = 1024 raids = ["m0", "i0", "m1", "i1"]"#,
                ),
            vec![
                "m0: 0 8 linear 254:0 0",
                "i0: 0 8 linear 254:0 0",
                "v: 0 8 raid raid1 3 0 region_size 1024 2 <m0> <i0> - -",
            ],
        ),
        (
            "RAID 0 without notes",
            part("i0", "pv0")
                + &part("i1", "pv1")
                + &segment("v", SHOWN, r#"type = "raid0" stripe_size = 128 raid0_lvs = ["i0", "i1"]"#),
            vec![
                "i0: 0 8 linear 254:0 0",
                "i1: 0 8 linear 254:1 0",
                "v: 0 8 raid raid0 1 128 2 - <i0> - <i1>",
            ],
        ),
        (
            "a thin volume",
            part("p_tmeta", "pv0")
                + &part("p_tdata", "pv1")
                + &segment(
                    "p",
                    SHOWN,
                    r#"type = "thin-pool" metadata = "p_tmeta" pool = "p_tdata" transaction_id = 1 chunk_size = 128
                   discards = "nopassdown" zero_new_blocks = 1"#,
                )
                + &segment("v", SHOWN, r#"type = "thin" thin_pool = "p" transaction_id = 0 device_id = 3"#),
            vec![
                "p_tmeta: 0 8 linear 254:0 0",
                "p_tdata: 0 8 linear 254:1 0",
                "p: 0 8 thin-pool <p_tmeta> <p_tdata> 128 0 2 error_if_no_space no_discard_passdown",
                "v: 0 8 thin <p> 3",
            ],
        ),
        (
            "a cache of a pool",
            part("o", "pv0")
                + &part("c_m", "pv1")
                + &part("c_d", "pv1")
                + &segment(
                    "c",
                    "",
                    r#"type = "cache-pool+METADATA_FORMAT" data = "c_d" metadata = "c_m" chunk_size = 64 metadata_format = 2
                   cache_mode = "writeback""#,
                )
                + &segment("v", SHOWN, r#"type = "cache" cache_pool = "c" origin = "o""#),
            vec![
                "o: 0 8 linear 254:0 0",
                "c_m: 0 8 linear 254:1 0",
                "c_d: 0 8 linear 254:1 0",
                "v: 0 8 cache <c_m> <c_d> <o> 64 2 writeback metadata2 smq 0",
            ],
        ),
        (
            "a cache of one volume",
            part("o", "pv0")
                + &part("c", "pv1")
                + &segment(
                    "v",
                    SHOWN,
                    r#"type = "cache+CACHE_USES_CACHEVOL" cache_pool = "c" origin = "o" metadata_start = 0 metadata_len = 2 data_start = 2
                   data_len = 6 chunk_size = 64"#,
                ),
            vec![
                "o: 0 8 linear 254:0 0",
                "c: 0 8 linear 254:1 0",
                "c/cmeta: 0 2 linear <c> 0",
                "c/cdata: 0 6 linear <c> 2",
                "v: 0 8 cache <c/cmeta> <c/cdata> <o> 64 1 writethrough smq 0",
            ],
        ),
        (
            "an origin gets its snapshots",
            linear("v", SHOWN, "pv0")
                + &linear("s", SHOWN, "pv1")
                + &segment(
                    "snapshot0",
                    "",
                    r#"type = "snapshot" chunk_size = 8 origin = "v" cow_store = "s""#,
                ),
            vec![
                "v/real: 0 8 linear 254:0 0",
                "s/cow: 0 8 linear 254:1 0",
                "s: 0 8 snapshot <v/real> <s/cow> P 8",
                "v: 0 8 snapshot-origin <v/real>",
            ],
        ),
        (
            "what merges is its snapshot",
            linear("v", SHOWN, "pv0")
                + &linear("s", "", "pv1")
                + &segment(
                    "snapshot0",
                    "",
                    r#"type = "snapshot" chunk_size = 8 origin = "v" merging_store = "s""#,
                ),
            vec![
                "v/real: 0 8 linear 254:0 0",
                "s/cow: 0 8 linear 254:1 0",
                "v: 0 8 snapshot <v/real> <s/cow> P 8",
            ],
        ),
    ];
    for (what, volumes, expected) in cases {
        assert_eq!(
            tables_of(&group(&volumes), &["v"]),
            Ok(expected.into_iter().map(str::to_owned).collect()),
            "{what}"
        );
    }
}

#[test]
fn a_snapshot_has_the_device_of_its_store_and_a_pool_has_none() {
    let shown = r#""READ", "VISIBLE""#;
    let group = group(
        &(linear("v", shown, "pv0")
            + &linear("s", r#""READ""#, "pv1")
            + &linear("m", r#""READ""#, "pv1")
            + &segment(
                "snapshot0",
                shown,
                r#"type = "snapshot" chunk_size = 8 origin = "v" cow_store = "s""#,
            )
            + &segment(
                "snapshot1",
                shown,
                r#"type = "snapshot" chunk_size = 8 origin = "w" merging_store = "m""#,
            )
            + &segment("p", shown, r#"type = "thin-pool" metadata = "x" pool = "y" chunk_size = 128"#)),
    );
    let names: Vec<_> =
        group.devices().map(|volume| (volume.name.as_str(), group.origin_of(volume))).collect();
    assert_eq!(names, [("v", None), ("s", Some("v"))]);
    let raid = segment("r", shown, r#"type = "raid5" stripe_size = 128 raids = []"#)
        + &segment("o", shown, r#"type = "cache+NEWER" cache_pool = "c" origin = "o""#);
    let types: Vec<_> = self::group(&raid).logical_volumes.iter().flat_map(Logical::segment_types).collect();
    assert_eq!(types, ["raid5", "cache+NEWER"]);
}

#[test]
fn what_leads_back_to_itself_or_is_missing_is_told() {
    let missing = || Unmapped::Missing("9".into());
    for (what, volumes, expected) in [
        ("itself", linear("v", SHOWN, "v"), Unmapped::Damaged),
        ("each other", linear("v", SHOWN, "w") + &linear("w", SHOWN, "v"), Unmapped::Damaged),
        ("nothing", linear("v", SHOWN, "pv5"), Unmapped::Damaged),
        ("a missing physical volume", linear("v", SHOWN, "w") + &linear("w", SHOWN, "pv9"), missing()),
        (
            "an origin whose snapshot is missing",
            linear("v", SHOWN, "pv0")
                + &linear("s", SHOWN, "pv9")
                + &segment(
                    "snapshot0",
                    "",
                    r#"type = "snapshot" chunk_size = 8 origin = "v" cow_store = "s""#,
                ),
            missing(),
        ),
        ("another type", segment("v", SHOWN, r#"type = "vdo""#), Unmapped::Segment("vdo".into())),
    ] {
        assert_eq!(tables_of(&group(&volumes), &["v"]), Err(expected), "{what}");
    }
}
