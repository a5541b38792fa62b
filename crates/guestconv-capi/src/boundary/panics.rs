//! Panics do not cross to C. One becomes an error that says where it was; the guest is given up, since nobody knows in
//! what state it is, and opened anew by the next call.

use crate::session::Session;
use guestconv::{Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether a call from C runs in this thread.
    static IS_CALLED: Cell<bool> = const { Cell::new(false) };
    /// What the last panic of this thread said, and where.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does some work for C; a panic comes back as an error.
pub(super) fn caught<T>(session: &mut Session, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
    keep_quiet();
    let was_called = IS_CALLED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(|| work(session)));
    let done = done.unwrap_or_else(|_| {
        let said = SAID.take().unwrap_or_default();
        // What is left of the guest may panic again as it goes; one error is enough.
        drop(catch_unwind(AssertUnwindSafe(|| session.give_up_guest())));
        let message = format!(
            "a fault of guestconv: {said}; report it. The disks are as they were, or the next call on them finishes a \
             commit that has begun"
        );
        Err(Error::new(ErrorKind::Bug, "library-panicked", message))
    });
    IS_CALLED.set(was_called);
    done
}

/// Drops a share of a handle, whatever becomes of what is in it.
pub(super) fn dropped<T>(share: T) {
    let was_called = IS_CALLED.replace(true);
    // There is nobody who could be told.
    drop(catch_unwind(AssertUnwindSafe(|| drop(share))));
    IS_CALLED.set(was_called);
}

/// Sees to it that a panic in a call from C is kept for its error and not printed. The library has its own copy of
/// Rust's runtime, so that this concerns no other Rust code of the program.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| match IS_CALLED.get() {
            true => SAID.set(Some(told(info))),
            false => usual(info),
        }));
    });
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic");
    match info.location() {
        Some(place) => format!("{text} ({}:{})", place.file(), place.line()),
        None => text.to_owned(),
    }
}
