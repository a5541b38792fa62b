//! A kernel for tests that a guest has taken over, compiled by them with rustc: it tries what it should not, and reports by
//! the reply's line what it reached. What it does is the first word of the first disk's name; then come the process that it
//! may not touch, and a name of sockets.
use std::ffi::CString;
use std::io::Write;
use std::os::fd::FromRawFd;

unsafe extern "C" {
    fn syscall(number: i64, ...) -> i64;
}

macro_rules! call {
    ($number:expr $(, $argument:expr)*) => {{
        let number = $number as i64;
        #[allow(unused_unsafe)]
        let result = unsafe { syscall(number $(, $argument as i64)*) };
        result
    }};
}

const AT_FDCWD: i64 = -100;
const READ: i64 = 0;
const WRITE: i64 = 1;
const CLOSE: i64 = 3;
const MMAP: i64 = 9;
const KILL: i64 = 62;
const EXIT: i64 = 60;
const FCNTL: i64 = 72;
const DUP2: i64 = 33;
const SOCKET: i64 = 41;
const CONNECT: i64 = 42;
const SENDTO: i64 = 44;
const SENDMSG: i64 = 46;
const SOCKETPAIR: i64 = 53;

fn text(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// What was reached that should not be.
#[derive(Default)]
struct Reached(Vec<String>);

impl Reached {
    fn note(&mut self, what: impl Into<String>, is_reached: bool) {
        if is_reached {
            self.0.push(what.into());
        }
    }

    /// Notes a call that did not fail.
    fn done(&mut self, what: &str, result: i64) {
        self.note(what, result >= 0);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() < 2 {
        return; // it has executed itself
    }
    let number = |start: &str| -> i64 {
        let argument = arguments.iter().find_map(|argument| argument.strip_prefix(start)).unwrap();
        argument.parse().unwrap()
    };
    let (initramfs, line) = (number("initrd=/proc/self/fd/"), number("ssl0=fd:"));
    let request = contents(initramfs);
    let after = |key: &str| request.split_once(key).unwrap().1.split('"').next().unwrap().to_owned();
    let (version, name) = (after("\"version\":\""), after("\"disks\":[\""));
    let mut words = name.split('X');
    let mode = words.next().unwrap();
    let victim: i64 = words.next().map_or(0, |word| word.parse().unwrap());
    let socket = words.next().unwrap_or("none");
    let mut reached = Reached::default();
    match mode {
        "reach" => {
            files(&mut reached);
            processes(&mut reached, victim);
            calls(&mut reached);
            leash(&mut reached, initramfs, line);
            sockets(&mut reached, socket);
            execute(&mut reached);
            without_end(&mut reached);
        }
        "stay" => stay(),
        nonsense => speak_nonsense(nonsense),
    }
    let json: Vec<String> = reached.0.iter().map(|what| format!("{what:?}")).collect();
    let json = format!(r#"{{"version":"{version}","answer":{{"manifest":[{}]}},"timings":[]}}"#, json.join(","));
    let mut line = unsafe { std::fs::File::from_raw_fd(line as i32) };
    line.write_all(format!("\nguestconv-reply {:08x}\n{json}", json.len()).as_bytes()).unwrap();
    loop {
        call!(34); // pause: whoever waits for the end waits for the limit
    }
}

fn contents(descriptor: i64) -> String {
    let mut bytes = vec![0_u8; 32 << 20];
    let mut length = 0;
    loop {
        let count = call!(17, descriptor, bytes[length..].as_mut_ptr(), bytes.len() - length, length);
        if count <= 0 {
            return String::from_utf8_lossy(&bytes[..length]).into_owned();
        }
        length += count as usize;
    }
}

fn open(path: &str, flags: i64) -> i64 {
    call!(257, AT_FDCWD, text(path).as_ptr(), flags, 0o600)
}

fn files(reached: &mut Reached) {
    let parent = call!(110);
    for path in [
        "/", "/etc", "/etc/passwd", "/etc/shadow", "/home", "/root", "/tmp", "/dev/shm", "/proc", "/proc/self/maps", "/proc/self/fd",
        "/proc/1/environ", "/proc/1/mem", "/proc/cpuinfo", "/sys", "/dev/null", "/dev/zero", "/dev/mem", "/dev/kvm", "/dev/ptmx",
        "/dev/shm/", "..", "../..", env!("ROGUE_FILE"), env!("ROGUE_DIR"),
    ] {
        reached.done(&format!("read {path}"), open(path, 0));
    }
    for file in ["mem", "environ", "maps", "fd/0", "cwd", "root/etc/passwd"] {
        reached.done(&format!("read the parent's {file}"), open(&format!("/proc/{parent}/{file}"), 0));
    }
    for path in [env!("ROGUE_FILE"), "/proc/self/mem", "/proc/self/oom_score_adj", "/dev/full"] {
        reached.done(&format!("write {path}"), open(path, 1));
    }
    for path in ["/tmp/rogue", "/dev/shm/rogue", "../rogue", "/rogue", concat!(env!("ROGUE_DIR"), "/rogue")] {
        reached.done(&format!("create {path}"), open(path, 0o102));
        reached.done(&format!("make the directory {path}"), call!(83, text(path).as_ptr(), 0o700));
        reached.done(&format!("make the device {path}"), call!(259, AT_FDCWD, text(path).as_ptr(), 0o20666, 0x103));
    }
    let (own, file) = (text("link"), text(env!("ROGUE_FILE")));
    reached.done("link", call!(86, file.as_ptr(), own.as_ptr()));
    reached.done("symlink", call!(88, file.as_ptr(), own.as_ptr()));
    reached.done("rename", call!(82, file.as_ptr(), own.as_ptr()));
    reached.done("truncate", call!(76, file.as_ptr(), 0));
    reached.done("unlink", call!(87, file.as_ptr()));
    reached.done("chmod", call!(90, file.as_ptr(), 0o777));
    reached.done("chown", call!(92, file.as_ptr(), 0, 0));
}

fn processes(reached: &mut Reached, victim: i64) {
    let parent = call!(110);
    for (name, process) in [("the parent", parent), ("a stranger", victim), ("init", 1)] {
        for (how, request) in [("attach", 16), ("seize", 0x4206)] {
            reached.done(&format!("ptrace {how} {name}"), call!(101, request, process, 0, 0));
        }
        for signal in [0, 15, 9] {
            reached.done(&format!("signal {signal} to {name}"), call!(KILL, process, signal));
            reached.done(&format!("tgkill {signal} to {name}"), call!(234, process, process, signal));
            reached.done(&format!("tkill {signal} to {name}"), call!(200, process, signal));
        }
        reached.done(&format!("signal the group of {name}"), call!(KILL, -process, 15));
        let mut bytes = [0_u64; 2];
        let (there, here) = ([main as *const () as u64, 16], [bytes.as_mut_ptr() as u64, 16]);
        reached.done(&format!("read {name}"), call!(310, process, here.as_ptr(), 1, there.as_ptr(), 1, 0));
        reached.done(&format!("write {name}"), call!(311, process, here.as_ptr(), 1, there.as_ptr(), 1, 0));
        reached.done(&format!("pidfd of {name}"), call!(434, process, 0));
        reached.done(&format!("limits of {name}"), call!(302, process, 7, 0, bytes.as_mut_ptr()));
        reached.done(&format!("pin {name}"), call!(203, process, 8, bytes.as_ptr()));
        reached.done(&format!("own {name}'s signals"), call!(FCNTL, 2, 8, process));
    }
    reached.done("signal everybody", call!(KILL, -1, 0));
    reached.done("kill by an event", call!(FCNTL, 2, 10, 9));
    reached.done("leave its group", call!(109, 0, call!(39)));
    reached.done("leave its session", call!(112));
    reached.done("outlive its parent", call!(157, 1, 0));
    reached.done("a child of its parent", call!(56, 0x8000 | 17, 0, 0, 0, 0));
    for (name, resource) in [("data", 2), ("file size", 1), ("time", 0), ("descriptors", 7)] {
        let limits = [u64::MAX, u64::MAX];
        reached.done(&format!("raise {name}"), call!(302, 0, resource, limits.as_ptr(), 0));
        reached.done(&format!("raise {name} as of old"), call!(160, resource, limits.as_ptr()));
    }
}

fn calls(reached: &mut Reached) {
    let zeroes = [0_u64; 64];
    let (root, empty) = (text("/"), text(""));
    for (name, number, arguments) in [
        ("mount", 165, [root.as_ptr() as i64, root.as_ptr() as i64, empty.as_ptr() as i64, 4096]),
        ("umount", 166, [root.as_ptr() as i64, 0, 0, 0]),
        ("open_tree", 428, [AT_FDCWD, root.as_ptr() as i64, 1, 0]),
        ("fsopen", 430, [text("tmpfs").as_ptr() as i64, 0, 0, 0]),
        ("unshare user", 272, [0x1000_0000, 0, 0, 0]),
        ("unshare net", 272, [0x4000_0000, 0, 0, 0]),
        ("clone user", 56, [0x1000_0011, 0, 0, 0]),
        ("setns", 308, [0, 0, 0, 0]),
        ("chroot", 161, [root.as_ptr() as i64, 0, 0, 0]),
        ("io_uring", 425, [4, zeroes.as_ptr() as i64, 0, 0]),
        ("bpf", 321, [0, zeroes.as_ptr() as i64, 72, 0]),
        ("keyctl", 250, [0, -3, 1, 0]),
        ("add_key", 248, [text("user").as_ptr() as i64, root.as_ptr() as i64, root.as_ptr() as i64, 1]),
        ("perf", 298, [zeroes.as_ptr() as i64, 0, -1, -1]),
        ("userfaultfd", 323, [1, 0, 0, 0]),
        ("open_by_handle_at", 304, [AT_FDCWD, zeroes.as_ptr() as i64, 0, 0]),
        ("name_to_handle_at", 303, [AT_FDCWD, root.as_ptr() as i64, zeroes.as_ptr() as i64, 0]),
        ("memfd_secret", 447, [0, 0, 0, 0]),
        ("pidfd_getfd", 438, [0, 0, 0, 0]),
        ("shmget", 29, [0, 4096, 0o1600, 0]),
        ("semget", 64, [0, 1, 0o1600, 0]),
        ("msgget", 68, [0, 0o1600, 0, 0]),
        ("mq_open", 240, [text("rogue").as_ptr() as i64, 0o102, 0o600, 0]),
        ("pipe", 22, [zeroes.as_ptr() as i64, 0, 0, 0]),
        ("inotify", 253, [0, 0, 0, 0]),
        ("fanotify", 300, [0, 0, 0, 0]),
        ("syslog", 103, [10, 0, 0, 0]),
        ("setuid", 105, [0, 0, 0, 0]),
        ("setgroups", 116, [0, 0, 0, 0]),
        ("capset", 126, [zeroes.as_ptr() as i64, 0, 0, 0]),
        ("personality", 135, [0x40_0000, 0, 0, 0]),
        ("sethostname", 170, [root.as_ptr() as i64, 1, 0, 0]),
        ("iopl", 172, [3, 0, 0, 0]),
        ("mlockall", 151, [1, 0, 0, 0]),
        ("setpriority", 141, [0, 0, -20, 0]),
        ("a listener of its own", 317, [1, 8, zeroes.as_ptr() as i64, 0]),
        ("TIOCSTI", 16, [0, 0x5412, root.as_ptr() as i64, 0]),
        ("a large pipe", 72, [2, 1031, 1 << 20, 0]),
        ("openat2", 437, [AT_FDCWD, root.as_ptr() as i64, zeroes.as_ptr() as i64, 24]),
        ("clone3", 435, [zeroes.as_ptr() as i64, 64, 0, 0]),
        ("a call of the x32 ABI", 0x4000_0000 + 39, [0, 0, 0, 0]),
        ("a call that is not known", 600, [0, 0, 0, 0]),
    ] {
        let [first, second, third, fourth] = arguments;
        reached.done(name, call!(number, first, second, third, fourth, 0, 0));
    }
}

/// What is open is what it was given; and what holds it stays.
fn leash(reached: &mut Reached, initramfs: i64, line: i64) {
    let open: Vec<i64> = (3..1024).filter(|number| ![initramfs, line].contains(number)).collect();
    let mut rest: Vec<i64> = open.into_iter().filter(|number| call!(FCNTL, *number, 1) >= 0 || call!(CLOSE, *number) >= 0).collect();
    // Its own commands are refused to it: it is the one that cannot be asked for, and not closed.
    rest.retain(|number| call!(5, *number, [0_u64; 32].as_mut_ptr()) >= 0);
    reached.note(format!("descriptors {rest:?}"), !rest.is_empty());
    let held: Vec<i64> = (3..1024).filter(|n| call!(5, *n, [0_u64; 32].as_mut_ptr()) >= 0 && call!(FCNTL, *n, 1) < 0).collect();
    reached.note(format!("held by {held:?}"), held.len() != 1);
    for number in held {
        reached.done("close the leash", call!(CLOSE, number));
        reached.done("replace the leash", call!(DUP2, 0, number));
        reached.done("replace the leash, too", call!(292, 0, number, 0));
        reached.done("let go of the leash", call!(FCNTL, number, 4, 0));
    }
    reached.done("close a range", call!(436, 3, u32::MAX, 0));
    reached.done("close a range at exec", call!(436, 3, u32::MAX, 4));
    reached.done("a child with its descriptors", call!(56, 0x400 | 17, 0, 0, 0, 0));
}

fn address(name: &[u8]) -> [u8; 110] {
    let mut address = [0; 110];
    address[0] = 1;
    address[2..2 + name.len()].copy_from_slice(name);
    address
}

/// Whether a connection was made is seen by who listens.
fn sockets(reached: &mut Reached, name: &str) {
    for (what, family, kind) in [
        ("TCP", 2, 1), ("UDP", 2, 2), ("TCP of 6", 10, 1), ("raw", 2, 3), ("netlink", 16, 3), ("packet", 17, 3), ("vsock", 40, 1),
        ("kernel crypto", 38, 5), ("datagrams", 1, 2), ("packets in order", 1, 5), ("bluetooth", 31, 1),
    ] {
        reached.done(what, call!(SOCKET, family, kind, 0));
    }
    let mut pair = [0_i32; 2];
    reached.done("a pair for datagrams", call!(SOCKETPAIR, 1, 2, 0, pair.as_mut_ptr()));
    let path = format!("{}/{name}", env!("ROGUE_DIR"));
    let abstract_name = [b"\0".as_slice(), name.as_bytes()].concat();
    let mine = call!(SOCKET, 1, 1, 0);
    reached.done("bind", call!(49, mine, address(b"\0rogue").as_ptr(), 8));
    reached.done("bind a path", call!(49, mine, address(b"bound").as_ptr(), 110));
    reached.done("listen", call!(50, mine, 1));
    for name in [path.as_bytes(), &abstract_name, b"/run/dbus/system_bus_socket", b"/var/run/docker.sock"] {
        let socket = call!(SOCKET, 1, 1, 0);
        let length = 2 + name.len();
        reached.done("send to an address", call!(SENDTO, socket, name.as_ptr(), 1, 0, address(name).as_ptr(), length));
        let (address, message) = (address(name), [b'x']);
        let vector = [message.as_ptr() as u64, 1];
        let header = [address.as_ptr() as u64, length as u64, vector.as_ptr() as u64, 1, 0, 0, 0];
        reached.done("send a message to an address", call!(SENDMSG, socket, header.as_ptr(), 0x4000));
        let is_connected = call!(CONNECT, socket, address.as_ptr(), length);
        if is_connected >= 0 {
            call!(WRITE, socket, b"caught".as_ptr(), 6); // the disk's server hears it, or he who must not
        }
    }
}

/// Runs what ends with 0 if it reached what it should not.
fn child(run: impl FnOnce() -> bool) -> bool {
    let process = call!(56, 17, 0, 0, 0, 0);
    if process == 0 {
        let is_reached = run();
        call!(EXIT, if is_reached { 0 } else { 1 });
    }
    let mut status = 0_i32;
    process > 0 && call!(61, process, &raw mut status, 0x4000_0000, 0) == process && status == 0
}

fn execute(reached: &mut Reached) {
    for path in ["/bin/true", "/usr/bin/true", "/proc/self/exe"] {
        let (path, end) = (text(path), 0_u64);
        let argument = [path.as_ptr() as u64, end];
        let is_run = child(|| {
            call!(59, path.as_ptr(), argument.as_ptr(), [end].as_ptr());
            false
        });
        reached.note(format!("execute {path:?}"), is_run && path.to_str() != Ok("/proc/self/exe"));
    }
    let is_readable = child(|| open("/etc/passwd", 0) >= 0);
    reached.note("a child reads", is_readable);
}

fn without_end(reached: &mut Reached) {
    let ignore = [1_u64, 0, 0, 0];
    call!(13, 25, ignore.as_ptr(), 0, 8); // what ends who writes more than he may
    let mut files = 0;
    let mut bytes = 0;
    let zero = [0_u8; 1];
    let directory = text(".");
    for flags in [0o20200002, 0o302] {
        for number in 0..50 {
            let name = text(&format!("file{number}"));
            let path = if flags == 0o302 { name.as_ptr() } else { directory.as_ptr() };
            let file = call!(257, AT_FDCWD, path, flags, 0o600);
            files += i64::from(file >= 0);
            let mut at = 512 << 20;
            while file >= 0 && at > 0 && call!(18, file, zero.as_ptr(), 1, at - 1) < 0 {
                at /= 2;
            }
            bytes += if file >= 0 { at } else { 0 };
        }
    }
    reached.note(format!("{files} files of {bytes} bytes"), files > 6 || bytes > 805 << 20);
    let made = (0..50).filter(|number| call!(83, text(&format!("dir{number}")).as_ptr(), 0o700) >= 0).count();
    reached.note(format!("{made} directories"), made > 4);
    let made = (0..50).filter(|_| call!(319, text("m").as_ptr(), 0) >= 0).count();
    reached.note(format!("{made} files in memory"), made > 1);
    let shared = (0..64).filter(|_| call!(MMAP, 0, 256 << 10, 3, 0x21, -1, 0) > 0).count();
    reached.note(format!("{shared} shared ranges"), shared > 2);
    reached.note("a large shared range", call!(MMAP, 0, 1 << 20, 3, 0x21, -1, 0) > 0);
    let mut ranges = [0; 1000];
    ranges.iter_mut().for_each(|range| *range = call!(MMAP, 0, 1 << 20, 3, 0x22, -1, 0));
    ranges.iter().filter(|range| **range > 0).for_each(|range| assert_eq!(call!(11, *range, 1 << 20), 0));
    let private = ranges.iter().filter(|range| **range > 0).count();
    reached.note(format!("{private} MiB"), private > 64);
    let mut count = 1;
    for _ in 0..100 {
        let process = call!(56, 17, 0, 0, 0, 0);
        if process == 0 {
            loop {
                call!(34);
            }
        }
        count += i64::from(process > 0);
    }
    reached.note(format!("{count} processes"), count > 16);
}

/// Stays, with children, whatever is said to it.
fn stay() -> ! {
    for signal in 1..32 {
        let ignore = [1_u64, 0, 0, 0];
        call!(13, signal, ignore.as_ptr(), 0, 8);
    }
    for _ in 0..3 {
        if call!(56, 17, 0, 0, 0, 0) == 0 {
            call!(436, 0, u32::MAX, 0); // a child may close all that it has
            break;
        }
    }
    loop {
        call!(35, [1_u64, 0].as_ptr(), 0);
    }
}

/// Talks to the disk's server as no kernel does. A message is: request, flags (version 1), size, payload.
fn speak_nonsense(how: &str) {
    let socket = call!(SOCKET, 1, 1, 0);
    let is_connected = call!(CONNECT, socket, address(b"x").as_ptr(), 110);
    let send = |request: u32, flags: u32, size: u32, payload: &[u8]| {
        let mut message = [request.to_le_bytes(), flags.to_le_bytes(), size.to_le_bytes()].concat();
        message.extend(payload);
        call!(WRITE, socket, message.as_ptr(), message.len());
    };
    let region = |size: u64| -> Vec<u8> { [1, 0, size, 0x1000, 0].iter().flat_map(|n: &u64| n.to_le_bytes()).collect() };
    match how {
        "huge" => send(1, 1, u32::MAX, &[0; 64]),
        "short" => send(2, 1, 8, &[1]),
        "unknown" => send(999, 1, 0, &[]),
        "version" => send(1, 7, 0, &[]),
        "tableless" => send(5, 1, 40, &region(1 << 20)),
        "table" => send(5, 1, 40, &region(u64::MAX)),
        "queue" => send(8, 1, 8, &[0xff; 8]),
        "kick" => send(12, 1, 8, &[0; 8]),
        "config" => send(24, 1, 12, &[0xff; 12]),
        "noise" => {
            let noise: Vec<u8> = (0..65536_u32).map(|n| (n.wrapping_mul(2654435761) >> 13) as u8).collect();
            call!(WRITE, socket, noise.as_ptr(), noise.len());
        }
        _ => panic!("{how} {is_connected}"),
    }
    call!(READ, socket, [0_u8; 64].as_mut_ptr(), 64);
    call!(231, 0);
}
