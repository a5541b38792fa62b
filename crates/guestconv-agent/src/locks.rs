//! LUKS: a slot's area is decrypted by the kernel with what was made of a passphrase outside, the key in it is put together by
//! the core, and the content is mapped with that.

use crate::device::{BlockDevice, number};
use crate::layout::Scan;
use crate::mapper::{self, Line};
use crate::stacked::Made;
use guestconv_core::finding::Finding;
use guestconv_core::formats::block::{ReadAt as _, hex};
use guestconv_core::formats::luks::{self, Content, Header, Slot};
use guestconv_core::layout::{DeviceName, Encrypted};
use guestconv_core::protocol::{Lock, SlotKey};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

/// The most encrypted devices of a guest.
const CAP_LOCKS: usize = 64;

/// The encrypted devices that were found so far.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    read: BTreeSet<DeviceName>,
}

impl Locks {
    /// Opens what the keys open; returns the devices with the content.
    pub(crate) fn open(&mut self, scan: &mut Scan, keys: &[SlotKey]) -> Vec<DeviceName> {
        let mut new = Vec::new();
        for device in scan.holding("crypto_LUKS") {
            if self.read.contains(&device) || self.read.len() >= CAP_LOCKS {
                continue;
            }
            match read(scan, &device) {
                Ok(header) => new.extend(add(scan, &device, &header, keys)),
                Err(reason) => {
                    let text = format!("the device is encrypted and cannot be opened: {reason}");
                    scan.findings.push(Finding::warning("device-encrypted", text).about(device.0.clone()));
                }
            }
            self.read.insert(device);
        }
        new
    }

    /// Tells what stays closed.
    pub(crate) fn tell(scan: &mut Scan) {
        for encrypted in scan.layout.encrypted.iter().filter(|encrypted| encrypted.opened.is_none()) {
            let with = match encrypted.tokens.as_slice() {
                [] => String::new(),
                tokens => format!(
                    " (the guest opens it by {}; if that depends on the machine, the target needs a passphrase)",
                    tokens.join(", ")
                ),
            };
            let text = format!(
                "the device is encrypted and stays closed{with}: what is in it is neither looked at nor changed; give its key"
            );
            let finding = Finding::warning("device-encrypted", text).about(encrypted.device.0.clone());
            scan.findings.push(finding);
        }
    }
}

/// Returns the encrypted devices of a scan, with what opens them or has.
pub(crate) fn of(scan: &Scan) -> Vec<Lock> {
    let lock = |encrypted: &Encrypted| {
        let header = read(scan, &encrypted.device).ok()?;
        let slots = header.slots.into_iter().map(|slot| (slot.number, slot.kdf)).collect();
        let (device, uuid) = (encrypted.device.clone(), encrypted.uuid.clone());
        let opened_by = scan.opened_by.get(&device).copied();
        Some(Lock { device, uuid, opened_by, slots })
    };
    scan.layout.encrypted.iter().filter_map(lock).collect()
}

fn read(scan: &Scan, device: &DeviceName) -> Result<Header, String> {
    let node = scan.devices.node(device).ok_or("it is not there")?;
    let header =
        BlockDevice::open(node).and_then(|open| luks::read(&open)).map_err(|error| error.to_string())?;
    header.map_err(|unusable| unusable.to_string())
}

fn add(scan: &mut Scan, device: &DeviceName, header: &Header, keys: &[SlotKey]) -> Option<DeviceName> {
    let mut opened = None;
    let name = DeviceName(format!("/dev/mapper/luks-{}", header.uuid));
    // Of a device and its copy the first is opened: the other has the same name.
    let slots = header.slots.iter().filter(|_| scan.devices.node(&name).is_none());
    let slots: Vec<&Slot> = slots.collect();
    for slot in slots {
        let fits = |key: &&SlotKey| key.uuid == header.uuid && key.slot == slot.number;
        let Some(key) = keys.iter().find(fits) else { continue };
        match content(scan, device, header, slot, key) {
            Ok(None) => {}
            Ok(Some(node)) => {
                scan.opened_by.insert(device.clone(), slot.number);
                scan.devices.insert(name.clone(), node);
                opened = Some(name.clone());
                break;
            }
            Err(error) => {
                let text = format!("the device is encrypted and cannot be opened: {error}");
                scan.findings.push(Finding::warning("device-encrypted", text).about(device.0.clone()));
            }
        }
    }
    scan.layout.encrypted.push(Encrypted {
        device: device.clone(),
        version: header.version,
        uuid: header.uuid.clone(),
        tokens: header.tokens.clone(),
        opened: opened.clone(),
        names: Vec::new(),
    });
    opened
}

/// Opens the content with a slot's key; `None` if that is not the slot's.
fn content(
    scan: &mut Scan,
    device: &DeviceName,
    header: &Header,
    slot: &Slot,
    key: &SlotKey,
) -> io::Result<Option<PathBuf>> {
    let node = scan.devices.node(device).ok_or_else(|| io::Error::other("it is not there"))?;
    let (place, size_bytes) = (number(node)?, BlockDevice::open(node)?.size_bytes());
    let name = format!("luks-{}", scan.made.len());
    let area = mapper::map(&name, &[line(&slot.area, &key.key, &place, size_bytes)?])?;
    let bytes = BlockDevice::open(&area).and_then(|open| open.bytes_at(0, slot.area_bytes()));
    mapper::remove(&name)?;
    let Some(volume_key) = slot.volume_key(&bytes?, key.is_known) else { return Ok(None) };
    let opened = mapper::map(&name, &[line(&header.content, &volume_key, &place, size_bytes)?])?;
    scan.made.push(Made::Mapped(name));
    Ok(Some(opened))
}

fn line(content: &Content, key: &[u8], place: &str, size_bytes: u64) -> io::Result<Line> {
    let outside = || io::Error::other("its header names places beyond its end");
    let left = (size_bytes / 512).checked_sub(content.start_sectors).ok_or_else(outside)?;
    let sectors = content.sectors.unwrap_or(left);
    if sectors == 0 || sectors > left {
        return Err(outside());
    }
    let each = (u64::from(content.sector_bytes) / 512).max(1);
    let sectors = sectors / each * each;
    let options = match content.sector_bytes {
        512 => String::new(),
        bytes => format!(" 1 sector_size:{bytes}"),
    };
    let Content { cipher, start_sectors, first_iv, .. } = content;
    let parameters = format!("{cipher} {} {first_iv} {place} {start_sectors}{options}", hex(key));
    Ok(Line { start_sectors: 0, sectors, target: "crypt", parameters })
}
