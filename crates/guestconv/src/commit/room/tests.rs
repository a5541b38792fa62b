//! Room by every method, made and taken away, whole and stopped between any two states.

use super::*;
use crate::disks::{self, DiskSpec, Format};
use crate::testing::noise;
use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Runs a program of the host and returns what it said.
fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn opened(path: &Path, format: Format) -> Disk {
    disks::open(&[DiskSpec { format, ..DiskSpec::new(path) }]).unwrap().remove(0)
}

/// Makes room or takes it away; stops between two states when `stops` of them are behind.
fn run(disk: &Disk, room: &Room, make: bool, stops: Option<usize>) -> io::Result<()> {
    let passed = Cell::new(0);
    let between = || {
        passed.set(passed.get() + 1);
        match stops {
            Some(stops) if passed.get() > stops => Err(io::Error::other("stopped")),
            _ => Ok(()),
        }
    };
    let progress = places_progress(disk);
    let job = Job { disk, room, progress: &progress, told: &|_, _| {}, between: &between };
    if make { super::make(&job) } else { super::unmake(&job) }
}

fn places_progress(disk: &Disk) -> PathBuf {
    super::super::places::progress(&disk.path.with_extension("guestconv-commit"))
}

/// Makes room or takes it away, stopped after so many states and begun again, each time by a new process; returns in how
/// many places it can be stopped.
fn stopped_everywhere(
    path: &Path,
    format: Format,
    room: &Room,
    make: bool,
    prepare: impl Fn(),
    verify: impl Fn(bool),
) -> usize {
    for stops in 0.. {
        prepare();
        let is_done = run(&opened(path, format), room, make, Some(stops)).is_ok();
        run(&opened(path, format), room, make, None).unwrap();
        verify(!is_done);
        // A third time it has nothing to do: the progress says so.
        run(&opened(path, format), room, make, None).unwrap();
        fs::remove_file(places_progress(&opened(path, format))).unwrap();
        if is_done {
            return stops;
        }
    }
    unreachable!()
}

/// What the guest sees.
fn content(path: &Path, format: Format) -> Vec<u8> {
    let disk = opened(path, format);
    let mut content = vec![0; disk.base.size() as usize];
    disk.base.read(&mut content, 0).unwrap();
    content
}

/// A file with data in its first part, in its third and at its end, and holes between.
fn sparse(path: &Path, size_bytes: u64) -> Vec<u8> {
    let mut model = vec![0; size_bytes as usize];
    for (at, length) in [(0, 100_000), (2_500_000, 300_000), (size_bytes as usize - 70_000, 70_000)] {
        model[at..at + length].copy_from_slice(&noise(length));
    }
    let file = File::create(path).unwrap();
    file.set_len(size_bytes).unwrap();
    for (at, piece) in (0u64..).step_by(4096).zip(model.chunks(4096)) {
        if piece.iter().any(|byte| *byte != 0) {
            file.write_all_at(piece, at).unwrap();
        }
    }
    model
}

fn with_room(model: &[u8], room: &Room) -> Vec<u8> {
    let mut all = vec![0; room.head_bytes as usize];
    all.extend_from_slice(model);
    all.resize(room.new_size_bytes as usize, 0);
    all
}

fn can_insert_there(dir: &Path) -> bool {
    let (ext4, xfs) = (0xef53, 0x5846_5342);
    let kind = rustix::fs::statfs(dir).unwrap().f_type;
    kind == ext4 || kind == xfs
}

#[test]
fn a_raw_file_gets_room_and_loses_it() {
    let size_bytes = (5 << 20) + 12_288 + 100; // within a sector
    let room = Room {
        head_bytes: 1 << 20,
        content_bytes: size_bytes / 512 * 512,
        old_size_bytes: size_bytes,
        new_size_bytes: 8 << 20,
    };
    for place in ["/tmp", "/dev/shm"] {
        let dir = TempDir::new_in(place).unwrap();
        let path = dir.path().join("disk");
        let model = sparse(&path, size_bytes);
        let blocks = fs::metadata(&path).unwrap().blocks();
        let method = check(&opened(&path, Format::Raw), &room).unwrap();
        let expected = if can_insert_there(dir.path()) { Method::Insert } else { Method::Move };
        assert_eq!(method, expected, "{place}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the trial leaves nothing");

        let prepare = || {
            sparse(&path, size_bytes);
        };
        let verify = |was_stopped| {
            let is_right = content(&path, Format::Raw) == with_room(&model, &room);
            assert!(is_right, "{place} {was_stopped}");
        };
        let stops = stopped_everywhere(&path, Format::Raw, &room, true, prepare, verify);
        assert_eq!(stops, if method == Method::Insert { 3 } else { 2 * (1 + 6 + 1) }, "{place}");
        assert!(fs::metadata(&path).unwrap().blocks() <= blocks + 16, "{place}: holes are kept");

        let prepare = || fs::write(&path, with_room(&model, &room)).unwrap();
        let verify = |was_stopped| {
            assert!(fs::read(&path).unwrap() == model, "{place} {was_stopped}: bit for bit");
        };
        let stops = stopped_everywhere(&path, Format::Raw, &room, false, prepare, verify);
        assert_eq!(stops, if method == Method::Insert { 3 } else { 1 + 2 * (1 + 6 + 1) }, "{place}");
    }
}

/// Fills a qcow2 image by QEMU: data at the beginning, in the middle, in the last sector.
fn qcow2(path: &Path, size_bytes: u64, options: &str) {
    drop(fs::remove_file(path));
    let name = path.to_str().unwrap();
    tool("qemu-img", &["create", "-q", "-f", "qcow2", "-o", options, name, &size_bytes.to_string()]);
    let (middle, end) = (size_bytes / 2 / 512 * 512, size_bytes - 512);
    let write = |pattern: &str, at: u64, length: &str| format!("write -q -P {pattern} {at} {length}");
    let writes = [write("0x5a", 0, "200k"), write("0xa5", middle, "100k"), write("0x77", end, "512")];
    let commands = writes.iter().flat_map(|write| ["-c", write]);
    tool("qemu-io", &["-f", "qcow2"].into_iter().chain(commands).chain([name]).collect::<Vec<_>>());
}

/// Whoever was stopped may have left clusters that nobody uses, as QEMU itself does; nothing else.
fn require_sound(path: &Path, was_stopped: bool) {
    let output = Command::new("qemu-img").args(["check", "-f", "qcow2"]).arg(path).output().unwrap();
    let leaked = 3;
    let is_sound = output.status.success() || was_stopped && output.status.code() == Some(leaked);
    assert!(is_sound, "{output:?}");
}

/// The same content as a raw file, with room made by hand.
fn by_hand(dir: &Path, image: &Path, room: &Room) -> PathBuf {
    let (flat, moved) = (dir.join("flat"), dir.join("by-hand"));
    tool(
        "qemu-img",
        &["convert", "-f", "qcow2", "-O", "raw", image.to_str().unwrap(), flat.to_str().unwrap()],
    );
    let target = File::create(&moved).unwrap();
    target.set_len(room.new_size_bytes).unwrap();
    let seek = format!("seek={}", room.head_bytes / 512);
    let (from, to) = (format!("if={}", flat.display()), format!("of={}", moved.display()));
    tool("dd", &["bs=512", "conv=notrunc,sparse", "status=none", &from, &to, &seek]);
    moved
}

fn compare(raw: &Path, image: &Path) {
    let (raw, image) = (raw.to_str().unwrap(), image.to_str().unwrap());
    // Strict: the sizes are equal, too.
    tool("qemu-img", &["compare", "-q", "-f", "raw", "-F", "qcow2", raw, image]);
    let info = tool("qemu-img", &["info", "-f", "qcow2", "--output=json", image]);
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert_eq!(info["virtual-size"].as_u64(), Some(fs::metadata(raw).unwrap().len()));
}

#[test]
fn a_qcow2_image_gets_room_and_loses_it() {
    const MIB: u64 = 1 << 20;
    for (options, head_bytes, size_bytes, expected) in [
        ("cluster_size=64k", 512 * MIB, 90 * MIB + 512, Method::Map),
        ("cluster_size=32k,refcount_bits=1", 128 * MIB, 256 * MIB, Method::Map),
        ("cluster_size=512,refcount_bits=64", MIB, 5 * MIB + 1024, Method::Map),
        ("compat=0.10,cluster_size=16k", 32 * MIB, 50 * MIB, Method::Map),
        ("compat=0.10,cluster_size=128k", MIB, 3 * MIB + 512, Method::Move),
    ] {
        let room = Room {
            head_bytes,
            content_bytes: size_bytes,
            old_size_bytes: size_bytes,
            new_size_bytes: (head_bytes + size_bytes + MIB).next_multiple_of(MIB),
        };
        let dir = TempDir::new_in("/dev/shm").unwrap(); // where syncing takes no time
        let path = dir.path().join("disk");
        qcow2(&path, size_bytes, options);
        let (before, pristine) = (dir.path().join("before"), dir.path().join("pristine"));
        fs::copy(&path, &pristine).unwrap();
        let name = path.to_str().unwrap();
        tool("qemu-img", &["convert", "-f", "qcow2", "-O", "raw", name, before.to_str().unwrap()]);
        let moved = by_hand(dir.path(), &path, &room);
        assert_eq!(check(&opened(&path, Format::Qcow2), &room).unwrap(), expected, "{options}");

        let verify = |raw: &Path, was_stopped| {
            require_sound(&path, was_stopped);
            compare(raw, &path);
        };
        let prepare = || assert_ne!(fs::copy(&pristine, &path).unwrap(), 0);
        stopped_everywhere(&path, Format::Qcow2, &room, true, prepare, |stopped| verify(&moved, stopped));

        // A guest's head and tail, then away with them.
        let made = dir.path().join("made");
        let tail = format!("write -q -P 0x22 {} 512k", room.new_size_bytes - MIB / 2);
        tool("qemu-io", &["-f", "qcow2", "-c", "write -q -P 0x11 0 300k", "-c", &tail, name]);
        fs::copy(&path, &made).unwrap();
        let prepare = || assert_ne!(fs::copy(&made, &path).unwrap(), 0);
        stopped_everywhere(&path, Format::Qcow2, &room, false, prepare, |stopped| verify(&before, stopped));
        // What is left of it does not make the next conversion a copy.
        assert_eq!(check(&opened(&path, Format::Qcow2), &room).unwrap(), expected, "{options}: once more");
    }
}

#[test]
fn snapshots_and_bitmaps_stay_sound() {
    let size_bytes = 300 << 20;
    let room = Room {
        head_bytes: 512 << 20,
        content_bytes: size_bytes,
        old_size_bytes: size_bytes,
        new_size_bytes: 813 << 20,
    };
    let dir = TempDir::new_in("/tmp").unwrap();
    let path = dir.path().join("disk");
    let name = path.to_str().unwrap();
    qcow2(&path, size_bytes, "cluster_size=64k");
    let (before, moved) = (dir.path().join("before"), by_hand(dir.path(), &path, &room));
    tool("qemu-img", &["convert", "-f", "qcow2", "-O", "raw", name, before.to_str().unwrap()]);
    tool("qemu-img", &["snapshot", "-c", "kept", name]);
    run(&opened(&path, Format::Qcow2), &room, true, None).unwrap();
    require_sound(&path, false);
    compare(&moved, &path);
    let snapshot = dir.path().join("snapshot");
    let to = snapshot.to_str().unwrap();
    tool("qemu-img", &["convert", "-f", "qcow2", "-l", "snapshot.name=kept", "-O", "raw", name, to]);
    let (snapshot, before) = (fs::read(&snapshot).unwrap(), fs::read(&before).unwrap());
    assert!(snapshot[..before.len()] == before, "the snapshot has what it had");
    fs::remove_file(places_progress(&opened(&path, Format::Qcow2))).unwrap();
    run(&opened(&path, Format::Qcow2), &room, false, None).unwrap();
    require_sound(&path, false);
    assert!(content(&path, Format::Qcow2) == before);
}

#[test]
fn a_table_of_counts_without_end_is_damage() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("disk");
    qcow2(&path, 1 << 20, "cluster_size=64k");
    let file = File::options().write(true).open(&path).unwrap();
    // 8 MiB in clusters of 64 KiB is the most.
    for (clusters, counts_at, expected) in [
        (128, 0x10000, None),
        (129, 0x10000, Some(io::ErrorKind::InvalidData)),
        (u32::MAX, 0x10000, Some(io::ErrorKind::InvalidData)),
        (1, u64::MAX - 0xffff, Some(io::ErrorKind::InvalidData)),
    ] {
        file.write_all_at(&clusters.to_be_bytes(), 56).unwrap();
        file.write_all_at(&counts_at.to_be_bytes(), 48).unwrap();
        let read = super::map::Map::read(&path).map(drop);
        assert_eq!(read.err().map(|error| error.kind()), expected, "{clusters} at {counts_at:#x}");
    }
}

/// A power cut may keep a table and lose its count, or the block with the counts.
#[test]
fn what_is_used_and_not_counted_is_counted() {
    let dir = TempDir::new().unwrap();
    let (raw, path) = (dir.path().join("raw"), dir.path().join("disk"));
    let bytes = vec![0x5a; 3 << 20];
    for options in ["cluster_size=64k", "cluster_size=4k", "cluster_size=4k,refcount_bits=1", "compat=0.10"] {
        for is_block_lost in [false, true] {
            fs::write(&raw, &bytes).unwrap();
            let names = [&raw, &path].map(|path| path.to_str().unwrap());
            tool("qemu-img", &["convert", "-f", "raw", "-O", "qcow2", "-o", options, names[0], names[1]]);
            let file = File::options().read(true).write(true).open(&path).unwrap();
            let mut header = [0; 64];
            file.read_exact_at(&mut header, 0).unwrap();
            let counts_at = u64::from_be_bytes(header[48..56].try_into().unwrap());
            let mut block = [0; 8];
            file.read_exact_at(&mut block, counts_at).unwrap();
            let block_at = u64::from_be_bytes(block);
            match is_block_lost {
                true => file.write_all_at(&[0; 8], counts_at).unwrap(),
                // All but header, table of counts, first block and first table.
                false => file.write_all_at(&[0; 128], block_at + 8).unwrap(),
            }
            super::mend(&opened(&path, Format::Qcow2)).unwrap();
            require_sound(&path, false);
            assert!(content(&path, Format::Qcow2) == bytes, "{options} {is_block_lost}");
            let image = opened(&path, Format::Qcow2).open_for_writing().unwrap();
            image.write(&[7; 512][..], 0).unwrap();
            super::super::fold::write_zeroes(&image, 1 << 20, 1 << 20).unwrap();
            image.write(&[8; 4096][..], 1 << 20).unwrap();
            image.flush().unwrap();
            drop(image);
            let mut expected = bytes.clone();
            expected[..512].fill(7);
            expected[1 << 20..2 << 20].fill(0);
            expected[1 << 20..(1 << 20) + 4096].fill(8);
            assert!(content(&path, Format::Qcow2) == expected, "{options} {is_block_lost}");
        }
    }
}

#[test]
fn what_cannot_get_room_is_refused_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    let (base, path) = (dir.path().join("base"), dir.path().join("disk"));
    File::create(&base).unwrap().set_len(10 << 20).unwrap();
    let (base_name, name) = (base.to_str().unwrap(), path.to_str().unwrap());
    tool("qemu-img", &["create", "-q", "-f", "qcow2", "-b", base_name, "-F", "raw", name]);
    let room = Room {
        head_bytes: 512 << 20,
        content_bytes: 10 << 20,
        old_size_bytes: 10 << 20,
        new_size_bytes: 523 << 20,
    };
    let spec = DiskSpec { format: Format::Qcow2, allow_backing: true, ..DiskSpec::new(&path) };
    let disk = disks::open(&[spec]).unwrap().remove(0);
    let code = |result: Result<Method>| result.err().map(|error| error.code().to_owned());
    assert_eq!(code(check(&disk, &room)), Some("backing-file-fixed".to_owned()));

    let raw = opened(&base, Format::Raw);
    let needed = |free| space::require_bytes(&raw, 2 << 20, free).err().map(|error| error.code().to_owned());
    assert_eq!(needed((2 << 20) - 1), Some("space-missing".to_owned()));
    assert_eq!(needed(2 << 20), None);
}

/// Needs root, and loop devices.
#[test]
fn a_block_device_with_room_keeps_its_size() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("device");
    fs::write(&file, noise(8 << 20)).unwrap();
    let attached = Command::new("losetup").args(["--find", "--show", file.to_str().unwrap()]).output();
    let Some(attached) = attached.ok().filter(|output| output.status.success()) else {
        eprintln!("skipped: no loop device");
        return;
    };
    let device = PathBuf::from(String::from_utf8(attached.stdout).unwrap().trim());
    let room = Room {
        head_bytes: 1 << 20,
        content_bytes: (4 << 20) + 4096,
        old_size_bytes: 8 << 20,
        new_size_bytes: 8 << 20,
    };
    let model = noise(8 << 20);
    let disk = opened(&device, Format::Raw);
    let progress = dir.path().join("progress");
    let job = |disk| Job { disk, room: &room, progress: &progress, told: &|_, _| {}, between: &|| Ok(()) };
    let method = check(&disk, &room).unwrap();
    let large = check(&disk, &Room { new_size_bytes: 9 << 20, ..room });
    make(&job(&disk)).unwrap();
    let mut moved = vec![0; 8 << 20];
    File::open(&device).unwrap().read_exact_at(&mut moved, 0).unwrap();
    fs::remove_file(&progress).unwrap();
    unmake(&job(&disk)).unwrap();
    let mut back = vec![0; 8 << 20];
    File::open(&device).unwrap().read_exact_at(&mut back, 0).unwrap();
    drop(disk);
    tool("losetup", &["--detach", device.to_str().unwrap()]);
    assert_eq!(method, Method::Move);
    assert_eq!(large.err().map(|error| error.code().to_owned()), Some("disk-no-room".to_owned()));
    let content = room.content_bytes as usize;
    assert!(moved[..1 << 20].iter().all(|byte| *byte == 0));
    assert!(moved[1 << 20..][..content] == model[..content]);
    assert!(moved[(1 << 20) + content..] == model[(1 << 20) + content..], "what is behind stays");
    assert!(back[..content] == model[..content]);
}

/// The largest that people have: it takes no time, for nothing is copied.
#[test]
fn a_sparse_file_of_100_gib_is_not_copied() {
    for place in ["/tmp", "/dev/shm"] {
        let dir = TempDir::new_in(place).unwrap();
        let path = dir.path().join("disk");
        let size_bytes = 100 << 30;
        let file = File::create(&path).unwrap();
        file.set_len(size_bytes).unwrap();
        for at in [0, 1 << 30, 50 << 30, (100 << 30) - (1 << 20)] {
            file.write_all_at(&noise(1 << 20), at).unwrap();
        }
        let room = Room {
            head_bytes: 512 << 20,
            content_bytes: size_bytes,
            old_size_bytes: size_bytes,
            new_size_bytes: size_bytes + (513 << 20),
        };
        let begun = std::time::Instant::now();
        run(&opened(&path, Format::Raw), &room, true, None).unwrap();
        let made = begun.elapsed();
        let disk = OpenOptions::new().read(true).open(&path).unwrap();
        let mut piece = vec![0; 1 << 20];
        disk.read_exact_at(&mut piece, (50 << 30) + (512 << 20)).unwrap();
        assert!(piece == noise(1 << 20));
        assert_eq!(disk.metadata().unwrap().len(), room.new_size_bytes);
        assert!(disk.metadata().unwrap().blocks() * 512 < 6 << 20, "{place}: holes are kept");
        fs::remove_file(places_progress(&opened(&path, Format::Raw))).unwrap();
        let begun = std::time::Instant::now();
        run(&opened(&path, Format::Raw), &room, false, None).unwrap();
        eprintln!("{place}: made in {made:?}, taken away in {:?}", begun.elapsed());
        assert_eq!(disk.metadata().unwrap().len(), size_bytes);
        disk.read_exact_at(&mut piece, 50 << 30).unwrap();
        assert!(piece == noise(1 << 20));
    }
}
