//! The doors of fuzzing: what the host parses itself, one function per entry point, each for any bytes. No API: this module
//! is there with the feature `fuzzing` and in tests alone. `docs/fuzzing.md` says how they are used.
//!
//! None may panic, hang, or take more memory than a host has to spare. Beyond that, each says what must hold.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a panic is how a target says that it found something"
)]

mod documents;
mod reply;
#[cfg(test)]
mod tests;

use guestconv_core::describe::describe;
use guestconv_core::description::edited;
use guestconv_core::fixtures::rhel64;
use guestconv_core::formats::libvirt_domain;
use guestconv_core::knowledge;
use guestconv_core::plan::Nic;

/// An image: a byte of wishes, eight bytes that say where, then the file. It is opened as the caller's, an overlay is put
/// above it, read and written; what was written must be read again.
pub fn image(input: &[u8]) {
    crate::disks::fuzzing::image(input);
}

/// The map of a qcow2 image, as the commit reads it to make room.
pub fn map(input: &[u8]) {
    crate::commit::fuzzing::map(input);
}

/// A reply of the appliance: an answer as JSON, or (if it begins with no brace) the length of a piece and raw bytes. What
/// parses and is no lie goes the whole way to description, plan, report and hardware of every target.
pub fn reply(input: &[u8]) {
    reply::reply(input);
}

/// The appliance at the other end of a disk: its memory, what is in its ring, and what it says at the socket.
pub fn request(input: &[u8]) {
    crate::disks::fuzzing::request(input);
}

/// The caller's texts: an edited description, a libvirt domain, a network card.
pub fn description(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let described = describe(&rhel64::facts(), knowledge::target("rhev-3.1").unwrap(), &[]);
    drop(edited::require_description(&text));
    if let Ok(choices) = edited::choices(&text, &described) {
        let offered = choices.devices.keys().all(|(class, id)| {
            described.devices.iter().any(|device| device.class == *class && device.id == *id)
        });
        assert!(offered, "a choice for a device that was not described");
    }
    drop(libvirt_domain::nics(&text));
    drop(Nic::parse(&text));
}

/// Documents that are read from files: a byte that says which, then its text.
pub fn documents(input: &[u8]) {
    documents::documents(input);
}

/// What a booted guest says: a byte that says where, then what.
pub fn proof(input: &[u8]) {
    crate::prove::fuzzing::proof(input);
}
