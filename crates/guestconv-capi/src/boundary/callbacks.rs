//! Functions of the caller that are told what happens.

use super::text;
use guestconv::{Event, Observer, Stage};
use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

type Progress = unsafe extern "C" fn(*mut c_void, *const c_char, u64, u64);
type Log = unsafe extern "C" fn(*mut c_void, *const c_char);

/// `guestconv_progress_callback`, or NULL.
pub(super) type ProgressCallback = Option<Progress>;
/// `guestconv_log_callback`, or NULL.
pub(super) type LogCallback = Option<Log>;

/// A function, and what it wants to be given.
#[derive(Clone, Copy)]
struct Callback<F> {
    function: F,
    opaque: *mut c_void,
}

// SAFETY: the library does not touch what `opaque` leads to; it hands it to the function, in the thread of the call that
// tells something, as the header promises.
unsafe impl<F> Send for Callback<F> {}

/// Who is told what happens, and how much of the present stage there is to do.
#[derive(Default)]
pub(crate) struct Callbacks {
    progress: Mutex<Option<Callback<Progress>>>,
    log: Mutex<Option<Callback<Log>>>,
    total: AtomicU64,
}

impl Callbacks {
    /// From now on, `function` is told of progress.
    pub(super) fn set_progress(&self, function: ProgressCallback, opaque: *mut c_void) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) =
            function.map(|function| Callback { function, opaque });
    }

    /// From now on, `function` is given the lines of the log.
    pub(super) fn set_log(&self, function: LogCallback, opaque: *mut c_void) {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) =
            function.map(|function| Callback { function, opaque });
    }

    fn tell_progress(&self, stage: Stage, done: u64, total: u64) {
        // Not locked while the caller's function runs.
        let callback = *self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Callback { function, opaque }) = callback {
            let stage = text(stage.name());
            // SAFETY: the caller gave the function for this, with that pointer; the name lives during the call.
            unsafe { function(opaque, stage.as_ptr(), done, total) };
        }
    }

    fn tell_log(&self, line: &str) {
        let callback = *self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Callback { function, opaque }) = callback {
            let line = text(line);
            // SAFETY: as above.
            unsafe { function(opaque, line.as_ptr()) };
        }
    }
}

impl Observer for Callbacks {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Started(stage) => {
                self.total.store(0, Ordering::Relaxed);
                self.tell_progress(*stage, 0, 0);
            }
            Event::Progress { stage, done, total } => {
                self.total.store(*total, Ordering::Relaxed);
                self.tell_progress(*stage, *done, *total);
            }
            Event::Finished(stage, _) => {
                let total = self.total.load(Ordering::Relaxed).max(1);
                self.tell_progress(*stage, total, total);
            }
            Event::Log(line) => self.tell_log(line),
            _ => {}
        }
    }
}
