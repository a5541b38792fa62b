use super::*;
use crate::change::{AddedModule, InitramfsAppend};
use crate::formats::cpio::Writer;
use crate::path::guest_path;
use std::io::Write;

const RESUME: &str = "RESUME=/dev/sda2\n";

/// An image as initramfs-tools makes it: `lib` is a link, one module, udev.
fn archive() -> Vec<u8> {
    let mut archive = Writer::new();
    for dir in ["usr", "usr/lib", "usr/lib/modules", "usr/lib/modules/6.1", "usr/lib/modules/6.1/kernel"] {
        archive.directory(dir, 0o755).unwrap();
    }
    archive.link("lib", "usr/lib").unwrap();
    archive.file("lib/modules/6.1/kernel/ext4.ko", 0o644, b"ext4").unwrap();
    archive.file("usr/lib/systemd/systemd-udevd", 0o755, b"udev").unwrap();
    archive.file("conf/conf.d/resume", 0o644, RESUME.as_bytes()).unwrap();
    archive.finish()
}

fn packed(compression: Compression, data: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => data.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => zstd::encode_all(data, 3).unwrap(),
        Compression::Lz4 => [&lz4_magic()[..], &crate::formats::lz4_legacy::chunks(data)].concat(),
        other => panic!("no encoder for {other:?}"),
    }
}

fn lz4_magic() -> [u8; 4] {
    crate::formats::lz4_legacy::MAGIC
}

#[test]
fn what_is_appended_is_found_again() {
    let kinds = [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Lz4];
    let early = {
        let mut early = Writer::new();
        early.file("kernel/x86/microcode/AuthenticAMD.bin", 0o644, b"code").unwrap();
        early.finish()
    };
    for (compression, in_front) in kinds.into_iter().flat_map(|kind| [(kind, &b""[..]), (kind, &early[..])]) {
        let original = [in_front, &packed(compression, &archive())].concat();
        let path = guest_path("/boot/initrd.img-6.1");
        let image =
            scan::scan(&path, "6.1", &mut original.as_slice(), &mut scan::Allowance::default()).unwrap();
        let expected = Image {
            path: path.clone(),
            kernel: "6.1".to_owned(),
            file: FileHash {
                size_bytes: original.len() as u64,
                blake3: blake3::hash(&original).to_hex().to_string(),
            },
            module_dir: "/usr/lib/modules/6.1".to_owned(),
            missing_directories: Vec::new(),
            modules: vec!["kernel/ext4.ko".to_owned()],
            loader: ModuleLoader::Index,
            tail: compression,
            is_closed: false,
            unpacked_bytes: if compression == Compression::None { 0 } else { archive().len() as u64 },
            texts: vec![ImageText {
                path: "conf/conf.d/resume".to_owned(),
                text: RESUME.to_owned(),
                is_hard_linked: false,
            }],
        };
        assert_eq!(image, expected, "{compression:?}");
        let (first, original_bytes) = (image.clone(), original.len());
        let append = InitramfsAppend {
            path: path.clone(),
            before: image.file,
            kernel: image.kernel,
            loader: ModuleLoader::Index,
            modules: vec![AddedModule {
                name: "virtio_blk".to_owned(),
                from: guest_path("/lib/modules/6.1/kernel/drivers/virtio_blk.ko"),
                to: "kernel/drivers/virtio_blk.ko".to_owned(),
                file: FileHash { size_bytes: 3, blake3: blake3::hash(b"blk").to_hex().to_string() },
            }],
            present: image.modules,
            module_dir: image.module_dir,
            files: Vec::new(),
            directories: Vec::new(),
            tail: image.tail,
        };
        let mut read = |path: &GuestPath| {
            Ok(match path.file_name() {
                "virtio_blk.ko" => b"blk".to_vec(),
                "modules.dep" => b"kernel/ext4.ko:\nkernel/drivers/virtio_blk.ko: kernel/ext4.ko\n".to_vec(),
                "modules.alias" => b"alias virtio:d00000002v* virtio_blk\nalias fs-xfs xfs\n".to_vec(),
                _ => Vec::new(),
            })
        };
        let segment = segment::build(&append, &mut read).unwrap();
        let whole = [original, segment].concat();
        let again = scan::scan(&path, "6.1", &mut whole.as_slice(), &mut scan::Allowance::default()).unwrap();
        assert_eq!(again.modules, ["kernel/drivers/virtio_blk.ko", "kernel/ext4.ko"], "{compression:?}");
        let grown = |bytes: &[u8]| {
            scan::grown(
                std::slice::from_ref(&first),
                &path,
                "6.1",
                &mut &*bytes,
                &mut scan::Allowance::default(),
            )
            .unwrap()
        };
        // An lz4 stream goes on in what is appended: it is read anew.
        let is_stream = compression == Compression::Lz4;
        assert_eq!(grown(&whole), (!is_stream).then(|| again.clone()), "{compression:?}");
        assert_eq!(grown(&whole[..original_bytes]), Some(first.clone()), "{compression:?}");
        assert_eq!(grown(&whole[..original_bytes - 1]), None, "{compression:?}");
        assert_eq!(grown(&[&[1], &whole[1..]].concat()), None, "{compression:?}");
        let mut other = |_: &GuestPath| Ok(b"other".to_vec());
        let refused = segment::build(&append, &mut other).unwrap_err();
        assert_eq!(refused.code, "guest-changed", "{compression:?}");
    }
}

/// Else a second look would read images that the first had no more room for, and find more to do.
#[test]
fn what_is_known_counts_as_much_as_what_is_read() {
    let path = guest_path("/boot/initrd.img-6.1");
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Lz4] {
        let image = packed(compression, &archive());
        let (mut first, mut second) = (scan::Allowance::default(), scan::Allowance::default());
        let read = scan::scan(&path, "6.1", &mut image.as_slice(), &mut first).unwrap();
        assert_ne!(first, second, "{compression:?}");
        let known =
            scan::grown(std::slice::from_ref(&read), &path, "6.1", &mut image.as_slice(), &mut second);
        assert_eq!(known, Ok(Some(read)), "{compression:?}");
        assert_eq!(first, second, "{compression:?}");
    }
}

#[test]
fn what_is_no_image_says_so() {
    for (bytes, expected) in [
        (&b"not an archive"[..], "it is no archive"),
        (&[0x89, 0x4c, 0x5a, 0x4f][..], "it is compressed by lzo, which is not read"),
    ] {
        let scanned =
            scan::scan(&guest_path("/boot/x"), "6.1", &mut &*bytes, &mut scan::Allowance::default())
                .map_err(|error| error.clone());
        assert_eq!(scanned, Err(expected.to_owned()), "{bytes:?}");
    }
}

#[test]
fn behind_what_is_no_archive_nothing_is_read() {
    let mut writer = crate::formats::cpio::Writer::new();
    writer.file("init", 0o755, b"x").unwrap();
    let archive = writer.finish();
    let scanned = |bytes: &[u8]| {
        scan::scan(&guest_path("/boot/x"), "6.1", &mut &*bytes, &mut scan::Allowance::default()).unwrap()
    };
    let whole = scanned(&archive);
    for (what, behind, is_closed) in [
        ("nothing", Vec::new(), false),
        ("zeroes", vec![0; 1000], false),
        ("another archive", archive.clone(), false),
        ("junk", b"junk".to_vec(), true),
        ("junk, and another archive", [b"junk".to_vec(), archive.clone()].concat(), true),
    ] {
        let bytes = [archive.clone(), behind].concat();
        let image = scanned(&bytes);
        assert_eq!(image.is_closed, is_closed, "{what}");
        let known = Image { is_closed, ..whole.clone() };
        let mut allowance = scan::Allowance::default();
        let again =
            scan::grown(&[known], &guest_path("/boot/x"), "6.1", &mut bytes.as_slice(), &mut allowance);
        let is_same = again.unwrap().is_some_and(|again| again.is_closed == is_closed);
        assert!(is_same != is_closed, "{what}: a closed image is read anew");
    }
}
