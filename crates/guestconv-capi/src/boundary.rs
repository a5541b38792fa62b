//! The border to C: pointers, text, panics. What each function does stands in `include/guestconv.h`.
#![allow(unsafe_code, reason = "the callers are C programs, which hand in pointers")]

use crate::session::Session;
use guestconv::core::plan::Nic;
use guestconv::{DiskSpec, Error, ErrorKind, Format, Result};
use std::ffi::{CStr, CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

/// The handle: a session and its last error.
pub(crate) struct Handle {
    session: Session,
    error: Option<(CString, CString)>,
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
    text.map(Some)
        .map_err(|_| Error::new(ErrorKind::InvalidArgument, "not-utf-8", format!("{what} is not UTF-8 text")))
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

/// Runs a call on a handle; an error or a panic stays in the handle, and `None` comes back.
///
/// # Safety
/// `handle` is NULL or came from [`guestconv_create`] and was not closed; no other call uses it meanwhile.
unsafe fn call<T>(handle: *mut Handle, work: impl FnOnce(&mut Session) -> Result<T>) -> Option<T> {
    // SAFETY: the caller promises it.
    let handle = unsafe { handle.as_mut() }?;
    handle.error = None;
    let session = &mut handle.session;
    let done = catch_unwind(AssertUnwindSafe(|| work(session))).unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::InvalidArgument, "library-panicked", "a fault of guestconv; report it"))
    });
    match done {
        Ok(value) => Some(value),
        Err(error) => {
            handle.error = Some((text(error.code()), text(&error.to_string())));
            None
        }
    }
}

fn status(done: Option<()>) -> c_int {
    if done.is_some() { 0 } else { -1 }
}

fn owned(done: Option<String>) -> *mut c_char {
    done.map_or(null_mut(), |done| text(&done).into_raw())
}

#[unsafe(no_mangle)]
extern "C" fn guestconv_create() -> *mut Handle {
    Box::into_raw(Box::new(Handle { session: Session::default(), error: None }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_close(handle: *mut Handle) {
    if !handle.is_null() {
        // SAFETY: it came from `guestconv_create`, and the caller gives it up.
        drop(unsafe { Box::from_raw(handle) });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_add_drive(
    handle: *mut Handle,
    path: *const c_char,
    name: *const c_char,
) -> c_int {
    // SAFETY: the header asks the caller for it.
    unsafe { guestconv_add_drive_format(handle, path, name, std::ptr::null()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_add_drive_format(
    handle: *mut Handle,
    path: *const c_char,
    name: *const c_char,
    format: *const c_char,
) -> c_int {
    // SAFETY: the header asks the caller for it: the handle is one of ours, each string is NULL or ends in NUL.
    status(unsafe {
        call(handle, |session| {
            let format = match from_c(format, "the format")? {
                None | Some("auto") => Format::Auto,
                Some("raw") => Format::Raw,
                Some("qcow2") => Format::Qcow2,
                Some(other) => {
                    let message = format!("there is no format {other:?}; known are raw, qcow2, auto");
                    return Err(Error::new(ErrorKind::InvalidArgument, "format-unknown", message));
                }
            };
            let name = from_c(name, "the name")?.map(str::to_owned);
            session.add_drive(DiskSpec { name, format, ..DiskSpec::new(needed(path, "the path")?) })
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_add_nic(
    handle: *mut Handle,
    name: *const c_char,
    mac: *const c_char,
) -> c_int {
    // SAFETY: as above.
    status(unsafe {
        call(handle, |session| {
            let name = from_c(name, "the name")?.map(|name| format!("{name}=")).unwrap_or_default();
            let nic = Nic::parse(&format!("{name}{}", needed(mac, "the MAC address")?))?;
            session.add_nic(nic);
            Ok(())
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_inspect(handle: *mut Handle, target: *const c_char) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe { call(handle, |session| session.inspect(needed(target, "the target")?)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_plan(handle: *mut Handle, document: *const c_char) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe { call(handle, |session| session.plan(from_c(document, "the document")?)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_convert(handle: *mut Handle, document: *const c_char) -> c_int {
    // SAFETY: as above.
    status(unsafe { call(handle, |session| session.convert(from_c(document, "the document")?)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_verify(handle: *mut Handle) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe { call(handle, Session::verify) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_last_error(handle: *const Handle) -> *const c_char {
    // SAFETY: as above.
    let error = unsafe { handle.as_ref() }.and_then(|handle| handle.error.as_ref());
    error.map_or(std::ptr::null(), |(_, message)| message.as_ptr())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_last_error_code(handle: *const Handle) -> *const c_char {
    // SAFETY: as above.
    let error = unsafe { handle.as_ref() }.and_then(|handle| handle.error.as_ref());
    error.map_or(std::ptr::null(), |(code, _)| code.as_ptr())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_free(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: it came from `owned`, and the caller gives it up.
        drop(unsafe { CString::from_raw(string) });
    }
}

#[unsafe(no_mangle)]
extern "C" fn guestconv_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
