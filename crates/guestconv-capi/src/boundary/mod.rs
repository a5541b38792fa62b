//! The border to C: pointers, text, panics. What each function does stands in `include/guestconv.h`.
//!
//! A handle is counted: one that is closed while a call runs on it, as by a callback, goes when the call ends.
#![allow(unsafe_code, reason = "the callers are C programs, which hand in pointers")]

mod callbacks;
mod functions;
mod panics;
#[cfg(test)]
mod tests;

use crate::session::Session;
use callbacks::Callbacks;
use guestconv::{Cancel, Error, ErrorKind, Result};
use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

/// The handle: a session, who is told of its work, what stops it, and its last error.
pub(crate) struct Handle {
    session: Mutex<Session>,
    callbacks: Arc<Callbacks>,
    cancel: Cancel,
    error: Mutex<Option<LastError>>,
}

/// An error as C reads it.
struct LastError {
    kind: CString,
    code: CString,
    message: CString,
}

impl Handle {
    fn new() -> Self {
        let (callbacks, cancel) = (Arc::<Callbacks>::default(), Cancel::default());
        let session = Session::new(callbacks.clone(), cancel.clone());
        Self { session: Mutex::new(session), callbacks, cancel, error: Mutex::new(None) }
    }

    /// Does some work; an error stays in the handle, and `None` comes back.
    fn call<T>(&self, work: impl FnOnce(&mut Session) -> Result<T>) -> Option<T> {
        let done = match self.session.try_lock() {
            Ok(mut session) => panics::caught(&mut session, work),
            Err(TryLockError::Poisoned(session)) => panics::caught(&mut session.into_inner(), work),
            Err(TryLockError::WouldBlock) => {
                let message =
                    "another call runs on the handle; a callback and another thread may only cancel it";
                Err(Error::new(ErrorKind::InvalidArgument, "handle-in-use", message))
            }
        };
        let (value, error) = match done {
            Ok(value) => (Some(value), None),
            Err(error) => {
                let (kind, code) = (text(error.kind().name()), text(error.code()));
                (None, Some(LastError { kind, code, message: text(&error.to_string()) }))
            }
        };
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
        value
    }
}

/// Returns a share of the handle that C has; `None` for NULL.
///
/// # Safety
/// `handle` is NULL or came from `guestconv_create` and was not closed.
unsafe fn shared(handle: *const Handle) -> Option<Arc<Handle>> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: `guestconv_create` made it by `Arc::into_raw`, and C's own share is still there.
    unsafe {
        Arc::increment_strong_count(handle);
        Some(Arc::from_raw(handle))
    }
}

/// Does some work on a handle; `None` if it failed or the handle is NULL.
///
/// # Safety
/// As [`shared`].
unsafe fn call<T>(handle: *const Handle, work: impl FnOnce(&mut Session) -> Result<T>) -> Option<T> {
    // SAFETY: the caller promises it.
    unsafe { shared(handle) }?.call(work)
}

/// Returns text for C; what is behind a NUL is cut off.
fn text(text: &str) -> CString {
    let until = text.split('\0').next().unwrap_or_default();
    CString::new(until).unwrap_or_default()
}

/// Returns text from C; `None` for NULL.
///
/// # Safety
/// `pointer` is NULL or a string that ends in NUL and lives during the call.
unsafe fn from_c<'a>(pointer: *const c_char, what: &str) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: it is not NULL, and the caller promises the rest.
    let text = unsafe { CStr::from_ptr(pointer) }.to_str();
    let invalid =
        |_| Error::new(ErrorKind::InvalidArgument, "not-utf-8", format!("{what} is not UTF-8 text"));
    text.map(Some).map_err(invalid)
}

/// Returns text from C that must be there.
///
/// # Safety
/// As [`from_c`].
unsafe fn needed<'a>(pointer: *const c_char, what: &str) -> Result<&'a str> {
    // SAFETY: the caller promises it.
    unsafe { from_c(pointer, what) }?
        .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "argument-needed", format!("{what} is NULL")))
}

/// Returns a path from C, which need not be UTF-8; `None` for NULL.
///
/// # Safety
/// As [`from_c`].
unsafe fn path_from_c<'a>(pointer: *const c_char) -> Option<&'a Path> {
    // SAFETY: it is not NULL, and the caller promises the rest.
    let bytes = (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_bytes());
    bytes.map(|bytes| Path::new(OsStr::from_bytes(bytes)))
}

fn status(done: Option<()>) -> c_int {
    if done.is_some() { 0 } else { -1 }
}

fn owned(done: Option<String>) -> *mut c_char {
    done.map_or(null_mut(), |done| text(&done).into_raw())
}
