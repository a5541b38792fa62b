//! What a booted guest says, as hostile as it likes: console, login, screen, network.

#![allow(clippy::unwrap_used, reason = "a panic is how a target says that it found something")]

use super::console::Console;
use super::evidence::nics;
use super::monitor::{self, Monitor};
use super::peer::{Heard, Peer};
use super::screen::{self, Font};
use super::{Machine, login};
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

pub(crate) fn proof(input: &[u8]) {
    let Some((place, said)) = input.split_first() else { return };
    match place % 4 {
        0 => console(said),
        1 => wire(said),
        2 => drop(screen::text_of(said, &Font::for_fuzzing())),
        _ => monitor(said),
    }
}

fn console(said: &[u8]) {
    let mut console = Console::default();
    for piece in said.chunks(100) {
        console.push(piece);
        drop(console.state());
    }
    let text = console.since(0).to_owned();
    let hostile = text.chars().find(|c| c.is_ascii_control() && *c != '\n' && *c != '\t');
    assert_eq!(hostile, None, "an escape sequence is left");
    assert!(console.tail(40).len() <= 40);
    drop((console.kernel(), console.root_device(), console.milestones().count()));
    let answers = login::answers(&text);
    drop(login::output(&text));
    let machine = Machine::preset("vmware").unwrap();
    drop(nics(&machine, &console, Some(&answers), &[]));
}

fn wire(said: &[u8]) {
    let heard = Arc::<Mutex<Heard>>::default();
    let mut peer = Peer::new(0, vec!["10.0.2.77".parse().unwrap()], Arc::clone(&heard));
    let mut rest = said;
    while let Some((length, after)) = rest.split_first() {
        let (frame, after) = after.split_at(usize::from(*length).min(after.len()));
        assert!(peer.answers(frame).len() <= 1, "a frame has one answer at most");
        rest = after;
    }
    assert!(peer.questions().len() <= 65, "questions are bounded");
}

fn monitor(said: &[u8]) {
    drop(monitor::text_of(&String::from_utf8_lossy(said)));
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(said.get(..60_000).unwrap_or(said)).unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
    if let Some(mut monitor) = Monitor::greet(ours) {
        drop(monitor.screen_text());
    }
}
