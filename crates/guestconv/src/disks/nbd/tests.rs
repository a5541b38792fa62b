//! Servers as they should be, and as they should not. What a server says is sent before it is asked: the client reads it in order.

use super::address::Address;
use super::connection::Connection;
use super::handshake::{Export, Refusal, greet};
use super::stream::Stream;
use super::*;
use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;

const SIZE_BYTES: u64 = 1 << 20;

fn stream(said: &[u8]) -> (Stream, UnixStream) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(said).unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
    (Stream::of(ours), theirs)
}

fn greeting() -> Vec<u8> {
    [b"NBDMAGICIHAVEOPT".as_slice(), &[0, 3]].concat()
}

fn reply(option: u32, kind: u32, data: &[u8]) -> Vec<u8> {
    let numbers = [option, kind, data.len() as u32].map(u32::to_be_bytes).concat();
    [&0x3_e889_0455_65a9u64.to_be_bytes(), numbers.as_slice(), data].concat()
}

fn export_info() -> Vec<u8> {
    reply(7, 3, &[&[0, 0], SIZE_BYTES.to_be_bytes().as_slice(), &[0, 1]].concat())
}

fn blocks(least: u32, most: u32) -> Vec<u8> {
    reply(7, 3, &[&[0, 3], [least, 4096, most].map(u32::to_be_bytes).as_flattened()].concat())
}

fn context(name: &str) -> Vec<u8> {
    reply(10, 4, &[&7u32.to_be_bytes(), name.as_bytes()].concat())
}

const ACK: u32 = 1;
const UNSUPPORTED: u32 = 1 << 31 | 1;

#[test]
fn a_server_is_agreed_with_or_refused() {
    let start = |rest: &[Vec<u8>]| [greeting(), rest.concat()].concat();
    let plain = |rest: &[Vec<u8>]| start(&[reply(8, UNSUPPORTED, b"no"), rest.concat()]);
    let agreed = |block_bytes, request_bytes, has_chunks, map| {
        Ok(Export { size_bytes: SIZE_BYTES, block_bytes, request_bytes, has_chunks, map })
    };
    let failed = |why: &str| Err(why.to_owned());
    let end = reply(7, ACK, &[]);
    let chunks = reply(8, ACK, &[]);
    let mapped = [context("base:allocation"), reply(10, ACK, &[])].concat();
    let other = [context("qemu:dirty"), reply(10, ACK, &[])].concat();
    let huge = reply(7, 3, &[&[0, 0], u64::MAX.to_be_bytes().as_slice(), &[0, 1]].concat());
    for (said, expected) in [
        (plain(&[export_info(), end.clone()]), agreed(512, 1 << 20, false, None)),
        (
            start(&[chunks.clone(), mapped, export_info(), blocks(1, 3 << 20), end.clone()]),
            agreed(1, 1 << 20, true, Some(7)),
        ),
        (
            start(&[chunks, other, export_info(), blocks(4096, 9000), end.clone()]),
            agreed(4096, 8192, true, None),
        ),
        (plain(&[reply(7, 1 << 31 | 6, b"none")]), failed("unknown")),
        (plain(&[reply(7, 1 << 31 | 5, b"tls")]), failed("tls")),
        (plain(&[reply(7, UNSUPPORTED, b"")]), failed("it refused (0x1)")),
        (plain(std::slice::from_ref(&end)), failed("it tells no size")),
        (plain(&[huge, end.clone()]), failed("it tells no size")),
        (
            plain(&[export_info(), blocks(513, 1024), end.clone()]),
            failed("the sizes of its blocks make no sense"),
        ),
        (
            plain(&[export_info(), blocks(0, 1024), end.clone()]),
            failed("the sizes of its blocks make no sense"),
        ),
        (
            plain(&[export_info(), blocks(4096, 512), end.clone()]),
            failed("the sizes of its blocks make no sense"),
        ),
        (
            plain(&[export_info(), blocks(1 << 20, 1 << 20), end.clone()]),
            failed("the sizes of its blocks make no sense"),
        ),
        (plain(&[reply(7, 3, &[0]), end.clone()]), failed("its answer is too short")),
        (plain(&[reply(7, 3, &[0, 3, 1]), end.clone()]), failed("its answer is too short")),
        (plain(&vec![export_info(); 65]), failed("its answer has no end")),
        (plain(&[reply(8, ACK, &[])]), failed("it answers something else")),
        (plain(&[reply(7, 3, &[0; 20_000])]), failed("its answer is too long")),
        (b"SSH-2.0-OpenSSH_9.2 and more".to_vec(), failed("it speaks no NBD")),
        ([b"NBDMAGIC".as_slice(), &[9; 10]].concat(), failed("it speaks no NBD")),
        (
            [b"NBDMAGIC".as_slice(), &0x4202_8186_1253u64.to_be_bytes()].concat(),
            failed("it speaks NBD of before 2011"),
        ),
        ([b"NBDMAGICIHAVEOPT".as_slice(), &[0, 0]].concat(), failed("it speaks NBD of before 2013")),
        (vec![], failed("it closed the connection")),
        (greeting(), failed("it closed the connection")),
    ] {
        let (mut stream, _theirs) = stream(&said);
        let found = greet(&mut stream, "name").map_err(|refusal| match refusal {
            Refusal::Unknown => "unknown".to_owned(),
            Refusal::Tls => "tls".to_owned(),
            Refusal::Failed(error) => error.to_string(),
        });
        assert_eq!(found, expected, "{:?}", String::from_utf8_lossy(&said));
    }
}

fn chunk(flags: u16, kind: u16, cookie: u64, data: &[u8]) -> Vec<u8> {
    let start = [&0x668e_33efu32.to_be_bytes(), [flags, kind].map(u16::to_be_bytes).as_flattened()].concat();
    [&start, cookie.to_be_bytes().as_slice(), &(data.len() as u32).to_be_bytes(), data].concat()
}

fn simple(error: u32, cookie: u64, data: &[u8]) -> Vec<u8> {
    [&[0x6744_6698u32, error].map(u32::to_be_bytes).concat(), cookie.to_be_bytes().as_slice(), data].concat()
}

fn data(at: u64, bytes: &[u8]) -> Vec<u8> {
    [&at.to_be_bytes(), bytes].concat()
}

fn hole(at: u64, length: u32) -> Vec<u8> {
    [at.to_be_bytes().as_slice(), &length.to_be_bytes()].concat()
}

fn error(number: u32, words: &str) -> Vec<u8> {
    [&number.to_be_bytes(), (words.len() as u16).to_be_bytes().as_slice(), words.as_bytes()].concat()
}

fn connection(said: &[u8], has_chunks: bool, map: Option<u32>) -> (Connection, UnixStream) {
    let (stream, theirs) = stream(said);
    let export = Export { size_bytes: SIZE_BYTES, block_bytes: 1, request_bytes: 1 << 20, has_chunks, map };
    (Connection::new(stream, export), theirs)
}

#[test]
fn what_is_read_is_what_was_asked_for() {
    let whole = |bytes: &[u8]| Ok(bytes.to_vec());
    let failed = |why: &str| Err(why.to_owned());
    let last = |kind, data: &[u8]| chunk(1, kind, 1, data);
    let many: Vec<u8> = (0..4097).flat_map(|_| chunk(0, 1, 1, &data(100, b""))).collect();
    for (has_chunks, said, expected) in [
        (false, simple(0, 1, b"abcdef"), whole(b"abcdef")),
        (false, simple(5, 1, b""), failed("Input/output error (os error 5)")),
        (false, simple(0, 2, b"abcdef"), failed("it answers another request")),
        (false, simple(0, 1, b"abc"), failed("it closed the connection")),
        (false, last(1, &data(100, b"abcdef")), failed("it answers something else")),
        (true, last(1, &data(100, b"abcdef")), whole(b"abcdef")),
        (
            true,
            [chunk(0, 1, 1, &data(104, b"ef")), chunk(0, 2, 1, &hole(101, 3)), last(1, &data(100, b"a"))]
                .concat(),
            whole(b"a\0\0\0ef"),
        ),
        (true, [chunk(0, 2, 1, &hole(100, 6)), last(0, &[])].concat(), whole(&[0; 6])),
        (true, last(1, &data(100, b"abc")), failed("its answer is not whole")),
        (true, last(0, &[]), failed("its answer is not whole")),
        (true, last(1, &data(99, b"abcdef")), failed("it answers what was not asked for")),
        (true, last(1, &data(100, b"abcdefg")), failed("it answers what was not asked for")),
        (true, last(2, &hole(100, u32::MAX)), failed("it answers what was not asked for")),
        (true, last(2, &hole(u64::MAX, 1)), failed("it answers what was not asked for")),
        (true, [chunk(0, 2, 1, &hole(100, 6)), last(2, &hole(100, 6))].concat(), failed("it answers twice")),
        (true, last(1, &[0; 7]), failed("its answer is too short")),
        (true, last(9, &[]), failed("it answers something else")),
        (true, last(1 << 15 | 1, &error(28, "it is full")), failed("it is full")),
        (
            true,
            last(1 << 15 | 2, &[error(5, ""), vec![0; 8]].concat()),
            failed("Input/output error (os error 5)"),
        ),
        (true, last(1 << 15 | 1, &[0; 3]), failed("its error makes no sense")),
        (true, last(1 << 15 | 1, &[0; 9000]), failed("its error makes no sense")),
        (true, many, failed("its answer has no end")),
        (true, simple(0, 1, b"abcdef"), failed("it answers something else")),
    ] {
        let (mut connection, _theirs) = connection(&said, has_chunks, None);
        let mut bytes = vec![9; 6];
        let read = connection.read(&mut bytes, 100).map(|()| bytes).map_err(|error| error.to_string());
        assert_eq!(read, expected, "{has_chunks} {said:?}");
    }
}

#[test]
fn a_server_that_talks_nonsense_is_asked_no_more_and_one_that_refuses_is() {
    let second = simple(0, 2, b"abcdef");
    for (first, expected) in [
        (simple(5, 1, b""), Ok(b"abcdef".to_vec())),
        (simple(0, 7, b"abcdef"), Err("it answers another request".to_owned())),
    ] {
        let (mut connection, _theirs) = connection(&[first, second.clone()].concat(), false, None);
        let mut bytes = vec![0; 6];
        connection.read(&mut bytes, 0).unwrap_err();
        let read = connection.read(&mut bytes, 0).map(|()| bytes).map_err(|error| error.to_string());
        assert_eq!(read, expected);
    }
}

#[test]
fn holes_are_told_by_the_map() {
    let status = |map: u32, extents: &[[u32; 2]]| {
        let extents = extents.iter().flatten().flat_map(|number| number.to_be_bytes());
        let data = map.to_be_bytes().into_iter().chain(extents).collect::<Vec<_>>();
        chunk(1, 5, 1, &data)
    };
    let range = |length, is_zeroes| Ok((length, is_zeroes));
    let failed = |why: &str| Err(why.to_owned());
    for (map, said, expected) in [
        (None, vec![], range(1000, false)),
        (Some(7), status(7, &[[600, 3], [400, 0]]), range(600, true)),
        (Some(7), status(7, &[[5000, 0]]), range(1000, false)),
        (Some(7), status(7, &[[600, 1]]), range(600, false)),
        (Some(7), status(8, &[[600, 3]]), failed("it tells no extents")),
        (Some(7), status(7, &[[0, 3]]), failed("one of its extents is empty")),
        (Some(7), status(7, &[]), failed("it answers something else")),
        (Some(7), chunk(1, 5, 1, &[0; 16]), failed("it answers something else")),
        (Some(7), chunk(1, 1 << 15 | 1, 1, &error(95, "no")), failed("no")),
    ] {
        let (mut connection, _theirs) = connection(&said, true, map);
        let found = connection.extent(0, 1000).map_err(|error| error.to_string());
        assert_eq!(found.map(|range| (range.length, range.is_zeroes)), expected, "{said:?}");
    }
}

#[test]
fn a_server_that_is_not_there_has_a_code() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let local = format!("nbd+unix:///?socket={}", socket.display());
    let address = |text: &str| Address::of(Path::new(text)).unwrap().unwrap();
    let code = |text: &str| Nbd::connect(&address(text), text).unwrap_err().code().to_owned();
    assert_eq!(code(&local), "nbd-not-connected");
    // Nobody listens at a port that was given back.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(code(&format!("nbd://127.0.0.1:{port}/")), "nbd-not-connected");

    let listener = UnixListener::bind(&socket).unwrap();
    for (said, expected) in [
        (greeting(), "nbd-failed"),
        ([greeting(), reply(8, UNSUPPORTED, b""), reply(7, 1 << 31 | 6, b"")].concat(), "nbd-export-unknown"),
        (
            [greeting(), reply(8, UNSUPPORTED, b""), reply(7, 1 << 31 | 5, b"")].concat(),
            "nbd-tls-unsupported",
        ),
    ] {
        let found = std::thread::scope(|scope| {
            let answer = scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(&said).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                stream
            });
            let found = code(&local);
            drop(answer.join().unwrap());
            found
        });
        assert_eq!(found, expected);
    }
}
