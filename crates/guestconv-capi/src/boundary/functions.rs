//! The functions of `include/guestconv.h`, in its order.

use super::callbacks::{LogCallback, ProgressCallback};
use super::{Handle, call, from_c, needed, owned, panics, path_from_c, shared, status};
use crate::session::{self, HardwareFormat};
use guestconv::core::plan::{Nic, Rebuild};
use guestconv::prove::ProveOptions;
use guestconv::{
    Confinement, DiskHashes, DiskSpec, Error, ErrorKind, Format, Key, Options, UndoFile, UndoOptions,
};
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr::null;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

#[unsafe(no_mangle)]
extern "C" fn guestconv_create() -> *mut Handle {
    Arc::into_raw(Arc::new(Handle::new())).cast_mut()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_close(handle: *mut Handle) {
    if !handle.is_null() {
        // SAFETY: it came from `guestconv_create`, and the caller gives it up.
        panics::dropped(unsafe { Arc::from_raw(handle) });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_add_drive(
    handle: *mut Handle,
    path: *const c_char,
    name: *const c_char,
) -> c_int {
    // SAFETY: the header asks the caller for it.
    unsafe { guestconv_add_drive_format(handle, path, name, null()) }
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
                Some("vmdk") => Format::Vmdk,
                Some("vhd" | "vpc") => Format::Vhd,
                Some("vhdx") => Format::Vhdx,
                Some("vdi") => Format::Vdi,
                Some(other) => {
                    return Err(format_unknown(other, "raw, qcow2, vmdk, vhd, vhdx, vdi, auto"));
                }
            };
            let name = from_c(name, "the name")?.map(str::to_owned);
            let needed = || Error::new(ErrorKind::InvalidArgument, "argument-needed", "the path is NULL");
            let path = path_from_c(path).ok_or_else(needed)?;
            session.add_drive(DiskSpec { name, format, ..DiskSpec::new(path) })
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
            session.add_nic(Nic::parse(&format!("{name}{}", needed(mac, "the MAC address")?))?)
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_allow_backing(handle: *mut Handle, allowed: c_int) -> c_int {
    // SAFETY: as above.
    status(unsafe { call(handle, |session| session.set_allow_backing(allowed != 0)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_appliance(handle: *mut Handle, directory: *const c_char) -> c_int {
    // SAFETY: as above.
    status(unsafe {
        call(handle, |session| {
            session.configure(|options| options.appliance = path_from_c(directory).map(Into::into))
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_overlay_dir(handle: *mut Handle, directory: *const c_char) -> c_int {
    // SAFETY: as above.
    status(unsafe {
        call(handle, |session| {
            session.configure(|options| options.overlay_dir = path_from_c(directory).map(Into::into))
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_grub_dir(handle: *mut Handle, directory: *const c_char) -> c_int {
    // SAFETY: as above.
    status(unsafe {
        call(handle, |session| {
            session.configure(|options| options.grub_dir = path_from_c(directory).map(Into::into))
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_add_key(handle: *mut Handle, key: *const c_char) -> c_int {
    // SAFETY: as above.
    status(unsafe {
        call(handle, |session| {
            let key: Key = from_c(key, "key")?.unwrap_or_default().parse()?;
            session.configure(|options| options.keys.push(key))
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_rebuild(handle: *mut Handle, how: *const c_char) -> c_int {
    // SAFETY: as above.
    status(unsafe {
        call(handle, |session| {
            session.set_rebuild(match from_c(how, "how")? {
                None | Some("append") => Rebuild::Append,
                Some("guest") => Rebuild::Guest,
                Some(other) => return Err(rebuild_unknown(other)),
            })
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_keep_undo(handle: *mut Handle, kept: c_int) -> c_int {
    let undo = if kept != 0 { UndoFile::Keep } else { UndoFile::Leave };
    // SAFETY: as above.
    status(unsafe { call(handle, |session| session.set_undo(undo)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_hash_disks(handle: *mut Handle, hashed: c_int) -> c_int {
    let hashes = if hashed != 0 { DiskHashes::Make } else { DiskHashes::Leave };
    // SAFETY: as above.
    status(unsafe { call(handle, |session| session.set_disk_hashes(hashes)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_time_limit(handle: *mut Handle, seconds: c_uint) -> c_int {
    // SAFETY: as above.
    status(unsafe {
        call(handle, |session| {
            let limit = limit(seconds, Options::default().time_limit);
            session.configure(|options| options.time_limit = limit)
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_require_confinement(handle: *mut Handle, required: c_int) -> c_int {
    let confinement = if required != 0 { Confinement::Required } else { Confinement::BestEffort };
    // SAFETY: as above.
    status(unsafe { call(handle, |session| session.configure(|options| options.confinement = confinement)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_progress_callback(
    handle: *mut Handle,
    callback: ProgressCallback,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: as above; the header says in which thread the function is called, and for how long.
    status(unsafe {
        shared(handle).and_then(|handle| {
            handle.call(|_| {
                handle.callbacks.set_progress(callback, opaque);
                Ok(())
            })
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_set_log_callback(
    handle: *mut Handle,
    callback: LogCallback,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: as above.
    status(unsafe {
        shared(handle).and_then(|handle| {
            handle.call(|_| {
                handle.callbacks.set_log(callback, opaque);
                Ok(())
            })
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_targets(handle: *mut Handle) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe { call(handle, |_| session::targets()) })
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
unsafe extern "C" fn guestconv_plan_text(handle: *mut Handle, document: *const c_char) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe { call(handle, |session| session.plan_text(from_c(document, "the document")?)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_hardware(
    handle: *mut Handle,
    document: *const c_char,
    format: *const c_char,
) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe {
        call(handle, |session| {
            let format = match needed(format, "the format")? {
                "libvirt" => HardwareFormat::Libvirt,
                "qemu" => HardwareFormat::Qemu,
                "json" => HardwareFormat::Json,
                other => return Err(format_unknown(other, "libvirt, qemu, json")),
            };
            session.hardware(from_c(document, "the document")?, format)
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_convert(handle: *mut Handle, document: *const c_char) -> c_int {
    // SAFETY: as above.
    status(unsafe { call(handle, |session| session.convert(from_c(document, "the document")?)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_convert_plan(handle: *mut Handle, plan: *const c_char) -> c_int {
    // SAFETY: as above.
    status(unsafe { call(handle, |session| session.convert_plan(needed(plan, "the plan")?)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_last_record(handle: *mut Handle) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe { call(handle, |session| session.last_record()) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_recover(handle: *mut Handle) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe { call(handle, |session| session.recover()) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_last_outcome(handle: *mut Handle) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe { call(handle, |session| session.last_outcome()) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_undo(handle: *mut Handle, force: c_int) -> c_int {
    // SAFETY: as above.
    status(unsafe { call(handle, |session| session.undo(&UndoOptions { force: force != 0 })) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_discard_undo(handle: *mut Handle) -> c_int {
    // SAFETY: as above.
    status(unsafe { call(handle, |session| session.discard_undo()) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_undo_files(handle: *mut Handle) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe { call(handle, |session| session.undo_files()) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_verify(handle: *mut Handle, document: *const c_char) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe { call(handle, |session| session.verify(from_c(document, "the document")?)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_prove(
    handle: *mut Handle,
    document: *const c_char,
    seconds: c_uint,
    evidence: *const c_char,
) -> *mut c_char {
    // SAFETY: as above.
    owned(unsafe {
        call(handle, |session| {
            let limit = limit(seconds, ProveOptions::default().time_limit);
            session.prove(from_c(document, "the document")?, limit, path_from_c(evidence))
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_cancel(handle: *mut Handle) {
    // SAFETY: as above.
    if let Some(handle) = unsafe { shared(handle) } {
        handle.cancel.cancel();
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_last_error(handle: *const Handle) -> *const c_char {
    // SAFETY: as above.
    let Some(handle) = (unsafe { handle.as_ref() }) else { return c"the handle is NULL".as_ptr() };
    let error = handle.error.lock().unwrap_or_else(PoisonError::into_inner);
    error.as_ref().map_or(null(), |error| error.message.as_ptr())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_last_error_code(handle: *const Handle) -> *const c_char {
    // SAFETY: as above.
    let Some(handle) = (unsafe { handle.as_ref() }) else { return c"argument-needed".as_ptr() };
    let error = handle.error.lock().unwrap_or_else(PoisonError::into_inner);
    error.as_ref().map_or(null(), |error| error.code.as_ptr())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_last_error_kind(handle: *const Handle) -> *const c_char {
    // SAFETY: as above.
    let Some(handle) = (unsafe { handle.as_ref() }) else { return c"invalid-argument".as_ptr() };
    let error = handle.error.lock().unwrap_or_else(PoisonError::into_inner);
    error.as_ref().map_or(null(), |error| error.kind.as_ptr())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn guestconv_free(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: it came from `owned`, and the caller gives it up.
        drop(unsafe { std::ffi::CString::from_raw(string) });
    }
}

#[unsafe(no_mangle)]
extern "C" fn guestconv_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Returns the time that the caller gives, or if that is 0, the usual one.
fn limit(seconds: c_uint, usual: Duration) -> Duration {
    if seconds == 0 { usual } else { Duration::from_secs(seconds.into()) }
}

fn format_unknown(format: &str, known: &str) -> Error {
    let message = format!("there is no format {format:?}; known are {known}");
    Error::new(ErrorKind::InvalidArgument, "format-unknown", message)
}

fn rebuild_unknown(how: &str) -> Error {
    let message = format!("initramfs images cannot get drivers by {how:?}; known are append, guest");
    Error::new(ErrorKind::InvalidArgument, "rebuild-unknown", message)
}
