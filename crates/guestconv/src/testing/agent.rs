//! An agent for tests, compiled by them with rustc. What it does is the name of the first disk in the request.
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;

unsafe extern "C" {
    fn mount(source: *const u8, target: *const u8, kind: *const u8, flags: u64, data: *const u8) -> i32;
    fn reboot(command: i32) -> i32;
    fn tcgetattr(fd: i32, termios: *mut [u8; 256]) -> i32;
    fn cfmakeraw(termios: *mut [u8; 256]);
    fn tcsetattr(fd: i32, when: i32, termios: *const [u8; 256]) -> i32;
    fn tcdrain(fd: i32) -> i32;
    fn syscall(number: i64, ...) -> i64;
}

const FINIT_MODULE: i64 = 313;

/// Facts of disks that hold nothing.
fn facts(request: &str) -> String {
    let names = request.split_once("\"disks\":[").unwrap().1.split_once(']').unwrap().0;
    let disk = |(name, letter): (&str, char)| {
        let size = File::open(format!("/dev/vd{letter}")).unwrap().seek(SeekFrom::End(0)).unwrap();
        format!(r#"{{"name":{name},"size_bytes":{size},"table":null}}"#)
    };
    let disks: Vec<String> = names.split(',').zip('a'..='z').map(disk).collect();
    let disks = disks.join(",");
    format!(r#"{{"facts":{{"schema":1,"layout":{{"disks":[{disks}]}},"firmware":"none","roots":[],"findings":[]}}}}"#)
}

/// Loads what a distribution's kernel needs for its disks and its port, and returns the reply's line.
fn line() -> &'static str {
    let Ok(modules) = fs::read_to_string("/modules.json") else { return "/dev/ttyS0" };
    let first = modules.split_once("\"first\":[").unwrap().1.split_once(']').unwrap().0;
    for name in first.split(',') {
        let file = File::open(format!("/{}.ko", name.trim_matches('"'))).unwrap();
        unsafe { syscall(FINIT_MODULE, file.as_raw_fd(), b"\0".as_ptr(), 0) };
    }
    while fs::metadata("/dev/vport0p1").is_err() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    "/dev/vport0p1"
}

fn main() {
    unsafe { mount(b"dev\0".as_ptr(), b"/dev\0".as_ptr(), b"devtmpfs\0".as_ptr(), 0, std::ptr::null()) };
    let line = line();
    let request = fs::read_to_string("/request.json").unwrap();
    let after = |text: &str, key: &str| text.split_once(key).map(|(_, rest)| rest.to_owned());
    let mode = after(&request, "\"disks\":[\"").unwrap().split('"').next().unwrap().to_owned();
    let version = after(&request, "\"version\":\"").unwrap().split('"').next().unwrap().to_owned();
    let is_apply = request.contains("\"apply\"");
    let mut line = OpenOptions::new().read(true).write(true).open(line).unwrap();
    unsafe {
        let mut termios = [0; 256];
        tcgetattr(line.as_raw_fd(), &mut termios);
        cfmakeraw(&mut termios);
        tcsetattr(line.as_raw_fd(), 0, &termios);
    }
    let outcome = r#"{"outcome":{"schema":1,"steps":[{"id":"test/step","status":"done","files":[]}],"error":null}}"#;
    let answer = match mode.as_str() {
        "hang" => loop { std::thread::sleep(std::time::Duration::from_secs(1000)) },
        "spin" => loop { std::hint::spin_loop() },
        "memory" => {
            let mut all = Vec::new();
            loop { all.push(std::hint::black_box(vec![1u8; 1 << 20])) }
        }
        "die" => std::process::exit(3),
        "garbage" => { line.write_all(&[b'x'; 10000]).unwrap(); String::new() }
        "silent" => String::new(),
        "old" => facts(&request),
        "failure" => r#"{"failure":{"code":"tested","message":"it was asked to fail"}}"#.to_owned(),
        "large" => format!(r#"{{"manifest":["{}"]}}"#, "y".repeat(30 << 20)),
        // Writes what `pattern` in the test module writes to its model, then hangs or answers.
        "pattern" | "stuck" => {
            let differs = pattern();
            if mode == "stuck" { loop { std::thread::sleep(std::time::Duration::from_secs(1000)) } }
            if is_apply { outcome.to_owned() } else { format!(r#"{{"manifest":["{differs} differ"]}}"#) }
        }
        "beyond" => {
            let mut disk = File::open("/dev/vda").unwrap();
            let size = disk.seek(SeekFrom::End(0)).unwrap();
            format!(r#"{{"manifest":["{size}"]}}"#)
        }
        // It finds a disk that it was not given.
        "liar" => facts(&request.replacen("\"liar\"", "\"other\"", 1)),
        _ => facts(&request),
    };
    let version = if mode == "old" { "0.0.9" } else { &version };
    if !answer.is_empty() {
        let json = format!(r#"{{"version":"{version}","answer":{answer},"timings":[["test",1000]]}}"#);
        line.write_all(format!("\nguestconv-reply {:08x}\n{json}", json.len()).as_bytes()).unwrap();
    }
    unsafe { tcdrain(line.as_raw_fd()); reboot(0x4321_fedc) };
}

fn pattern() -> usize {
    let mut disk = OpenOptions::new().read(true).write(true).open("/dev/vda").unwrap();
    let size = disk.seek(SeekFrom::End(0)).unwrap();
    let mut model = vec![0; size as usize];
    disk.seek(SeekFrom::Start(0)).unwrap();
    disk.read_exact(&mut model).unwrap();
    let mut state: u64 = 42;
    let mut next = |limit: u64| { state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); (state >> 33) % limit };
    for _ in 0..400 {
        let length = 1 + next(40_000);
        let at = next(size - length);
        let byte = next(256) as u8;
        model[at as usize..(at + length) as usize].fill(byte);
        disk.seek(SeekFrom::Start(at)).unwrap();
        disk.write_all(&vec![byte; length as usize]).unwrap();
        if next(20) == 0 { disk.sync_all().unwrap(); }
    }
    disk.sync_all().unwrap();
    drop(disk);
    fs::create_dir_all("/proc").unwrap();
    unsafe { mount(b"proc\0".as_ptr(), b"/proc\0".as_ptr(), b"proc\0".as_ptr(), 0, std::ptr::null()) };
    fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
    let mut again = vec![0; size as usize];
    File::open("/dev/vda").unwrap().read_exact(&mut again).unwrap();
    again.iter().zip(&model).filter(|(a, b)| a != b).count()
}
