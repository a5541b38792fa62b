//! `--hardware`: the hardware of a plan as those read it who start the machine, in place of the page or the document.

use crate::arguments::HardwareFormat;
use guestconv::core::hardware::{Hardware, libvirt, qemu};
use guestconv::{Guest, Result};

/// Returns the hardware as it was asked for, with what this host has for the guest.
pub(crate) fn text(guest: &Guest, hardware: &Hardware, format: HardwareFormat) -> Result<String> {
    let host = guest.host(hardware)?;
    Ok(match format {
        HardwareFormat::Libvirt => libvirt::domain(hardware, &host)?,
        HardwareFormat::Qemu => qemu::shell(&qemu::command(hardware, &host)?),
    })
}
