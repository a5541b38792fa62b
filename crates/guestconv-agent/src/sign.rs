//! Signs of life on the reply's line, and what is being looked at on the kernel's own: by the first the library tells work
//! from a kernel that goes round in a circle, by the second an error can name what the kernel died of.
//!
//! A sign is given by work that gets on, never by a clock: a clock would go on while the kernel hangs. It costs a write,
//! so that there is one in a while at most.

use crate::reply;
use guestconv_core::protocol::SIGN_OF_LIFE;
use guestconv_core::text::visible;
use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

/// How long after a sign the next may come.
const PAUSE: Duration = Duration::from_millis(500);
/// How often work may get on before the clock is looked at: in the appliance that is a system call.
const STEPS_PER_LOOK: u32 = 16;
/// How much of what is looked at is told, in characters.
const CAP_TOLD: usize = 200;

thread_local! {
    static STEPS: Cell<u32> = const { Cell::new(0) };
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Says that the work gets on.
pub(crate) fn of_life() {
    let steps = STEPS.get();
    STEPS.set(steps.wrapping_add(1));
    if !steps.is_multiple_of(STEPS_PER_LOOK) {
        return;
    }
    let now = Instant::now();
    let is_due = LAST.get().is_none_or(|last| now.duration_since(last) >= PAUSE);
    if !is_due {
        return;
    }
    let is_first = LAST.replace(Some(now)).is_none();
    // The start itself is known. Tests run on a host, whose lines are not ours.
    if is_first || !is_init() {
        return;
    }
    // Nobody hears an error of the line itself.
    let _ = reply::line().and_then(|mut line| line.write_all(&[SIGN_OF_LIFE]));
}

/// Says what is looked at now.
pub(crate) fn looking_at(what: &str) {
    of_life();
    if !is_init() {
        return;
    }
    let what: String = visible(what).chars().take(CAP_TOLD).collect();
    // At the level of errors, which the kernel writes out even when it is quiet. Nobody hears an error of the log itself.
    let _ = OpenOptions::new()
        .write(true)
        .open("/dev/kmsg")
        .and_then(|mut log| log.write_all(format!("<3>guestconv: {what}\n").as_bytes()));
}

/// Returns whether this is `/init`.
pub(crate) fn is_init() -> bool {
    std::process::id() == 1
}
