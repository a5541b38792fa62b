//! Device mapper by its ioctls (kernel: `include/uapi/linux/dm-ioctl.h`): a device is made, gets a table, is
//! resumed, and is removed at the end.

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

const CREATE: u8 = 3;
const REMOVE: u8 = 4;
const SUSPEND: u8 = 6;
const LOAD: u8 = 9;
const MESSAGE: u8 = 14;
/// Size of `struct dm_ioctl`.
const HEADER_BYTES: usize = 312;
/// Size of `struct dm_target_spec`.
const TARGET_BYTES: usize = 40;
const DATA_SIZE_AT: usize = 12;
const NAME_AT: usize = 48;
const NAME_CAP: usize = 127;
const DEVICE_AT: usize = 40;

/// A line of a table as the kernel takes it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// First sector.
    pub(crate) start_sectors: u64,
    /// How many sectors.
    pub(crate) sectors: u64,
    /// The kernel's target.
    pub(crate) target: &'static str,
    /// What it is told.
    pub(crate) parameters: String,
}

/// Makes a device of that name with that table; returns its node.
pub(crate) fn map(name: &str, table: &[Line]) -> io::Result<PathBuf> {
    let control = control()?;
    let mut request = request(name, &[])?;
    call(&control, CREATE, &mut request)?;
    let made = (|| {
        call(&control, LOAD, &mut self::request(name, table)?)?;
        // Suspending without the flag that says so is resuming.
        call(&control, SUSPEND, &mut self::request(name, &[])?)
    })();
    if let Err(error) = made {
        // It is no device yet: what is left of it is its name.
        let _ = remove(name);
        return Err(error);
    }
    let device = request.get(DEVICE_AT..DEVICE_AT + 8).and_then(|bytes| bytes.try_into().ok());
    let device = u64::from_le_bytes(device.unwrap_or_default());
    // Linux's own packing of a device number: the minor's low byte is the lowest.
    let minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
    Ok(PathBuf::from(format!("/dev/dm-{minor}")))
}

/// Ends a device; what it holds back is written first.
pub(crate) fn remove(name: &str) -> io::Result<()> {
    call(control()?, REMOVE, &mut request(name, &[])?)
}

/// Tells the target at the start of a device something.
pub(crate) fn tell(name: &str, message: &str) -> io::Result<()> {
    let mut bytes = request(name, &[])?;
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(padded(message.as_bytes(), (message.len() + 1).next_multiple_of(8)));
    let length = small(bytes.len())?;
    if let Some(field) = bytes.get_mut(DATA_SIZE_AT..DATA_SIZE_AT + 4) {
        field.copy_from_slice(&length);
    }
    call(control()?, MESSAGE, &mut bytes)
}

fn control() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/mapper/control")
}

fn request(name: &str, table: &[Line]) -> io::Result<Vec<u8>> {
    if name.len() > NAME_CAP {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name is too long"));
    }
    let mut targets = Vec::new();
    for line in table {
        let parameters_bytes = (line.parameters.len() + 1).next_multiple_of(8);
        targets.extend(line.start_sectors.to_le_bytes());
        targets.extend(line.sectors.to_le_bytes());
        targets.extend(0_u32.to_le_bytes());
        targets.extend(small(TARGET_BYTES + parameters_bytes)?);
        targets.extend(padded(line.target.as_bytes(), 16));
        targets.extend(padded(line.parameters.as_bytes(), parameters_bytes));
    }
    let mut bytes: Vec<u8> = [4_u32, 0, 0].iter().flat_map(|number| number.to_le_bytes()).collect();
    bytes.extend(small(HEADER_BYTES + targets.len())?);
    bytes.extend(small(HEADER_BYTES)?);
    bytes.extend(small(table.len())?);
    bytes.resize(NAME_AT, 0);
    bytes.extend(name.as_bytes());
    bytes.resize(HEADER_BYTES, 0);
    bytes.extend(targets);
    Ok(bytes)
}

fn small(number: usize) -> io::Result<[u8; 4]> {
    let number = u32::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(number.to_le_bytes())
}

fn padded(text: &[u8], bytes: usize) -> Vec<u8> {
    let mut field = text.to_vec();
    field.resize(bytes, 0);
    field
}

fn call(control: impl AsFd, command: u8, buffer: &mut [u8]) -> io::Result<()> {
    let request = Buffer { opcode: opcode::read_write::<[u8; HEADER_BYTES]>(0xfd, command), buffer };
    #[allow(unsafe_code, reason = "the device mapper has no other interface")]
    // SAFETY: the buffer is at least as large as its own header says, and the kernel stays within that.
    Ok(unsafe { ioctl(control, request) }?)
}

/// An ioctl that reads and writes a buffer.
pub(crate) struct Buffer<'a> {
    /// Its number.
    pub(crate) opcode: Opcode,
    /// What it reads and writes.
    pub(crate) buffer: &'a mut [u8],
}

#[allow(unsafe_code, reason = "the trait of rustix for ioctls is unsafe")]
// SAFETY: the pointer is that of a buffer that is borrowed for as long as this lives; callers vouch for its size.
unsafe impl Ioctl for Buffer<'_> {
    type Output = ();
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        self.opcode
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.buffer.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}
