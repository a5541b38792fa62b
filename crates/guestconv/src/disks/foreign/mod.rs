//! Images that this process does not read itself: VMDK, VHD, VHDX, VDI, and what is rare of qcow2. A `qemu-storage-daemon` of
//! our own reads them and exports the disk over NBD; they are only read.
//!
//! QEMU is told the format of every file, and is let to no file but those that are named here: we look ourselves what an image
//! names, and whether the caller allows it. What QEMU would open as an empty or a shorter disk is refused here: one that
//! holds what differs from a parent, and one whose end is missing.

mod daemon;
mod vdi;
pub(super) mod vhd;
mod vhdx;
mod vmdk;

pub(crate) use daemon::Daemon;

use super::image::opening;
use super::nbd::Nbd;
use super::spec::{DiskFormat, DiskSpec};
use super::{chain, overlay, probe, qcow2};
use crate::appliance::PrivateDir;
use crate::confine::Confinement;
use crate::error::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// What a log that is replayed may need beside the daemon's own small files.
const DIRECTORY_BYTES: u64 = 64 << 20;

/// What a daemon is told.
#[derive(Debug)]
pub(super) struct Nodes {
    /// The image, with all that is below it.
    top: Value,
    /// The files that it reads.
    files: Vec<PathBuf>,
}

/// Opens an image by a daemon.
///
/// # Errors
/// `backing-file-not-allowed`, `backing-file-not-opened`, `data-file-not-allowed`, `disk-differencing`, `disk-truncated`,
/// `extent-file-not-allowed`, `extent-file-not-opened`, `vmdk-without-descriptor`, `image-not-opened`; those of the daemon.
pub(super) fn open(spec: &DiskSpec, format: DiskFormat, confinement: Confinement) -> Result<Nbd> {
    let directory = PrivateDir::new(DIRECTORY_BYTES)?;
    let mut builder = Builder {
        files: Vec::new(),
        allow_others: spec.allow_backing,
        log: directory.path().join("log"),
        left: chain::CAP_BELOW,
    };
    let mut top = builder.layer(&spec.path, format)?;
    if let Some(top) = top.as_object_mut() {
        top.insert("node-name".to_owned(), json!(daemon::NODE));
    }
    let nodes = Nodes { top, files: builder.files };
    let (daemon, stream) = Daemon::start(&nodes, directory, confinement)?;
    let name = spec.path.display().to_string();
    Nbd::of_daemon(stream, daemon, &name).map_err(|words| {
        let message =
            format!("QEMU cannot open {name} as {}: {words}; check it with qemu-img", format.name());
        Error::new(ErrorKind::Disk, "image-not-opened", message)
    })
}

/// Whether an image in qcow2, or one below it that may be opened, is none that this process reads.
pub(super) fn is_needed(spec: &DiskSpec) -> Result<bool> {
    let mut path = spec.path.clone();
    for _ in 0..chain::CAP_BELOW {
        // What is wrong with an image is told by who opens it.
        let Ok(names) = qcow2::names(&path) else { return Ok(false) };
        if names.needs_qemu {
            return Ok(true);
        }
        let Some((below, format)) = names.backing.filter(|_| spec.allow_backing) else { return Ok(false) };
        path = beside(&path, &below);
        match format.as_deref().and_then(DiskFormat::of_name) {
            Some(DiskFormat::Qcow2) => {}
            Some(DiskFormat::Raw) | None => return Ok(false),
            Some(_) => return Ok(true),
        }
    }
    Ok(false)
}

struct Builder {
    files: Vec<PathBuf>,
    allow_others: bool,
    log: PathBuf,
    left: u32,
}

impl Builder {
    /// Returns the node of an image in that format, with all that is below it.
    fn layer(&mut self, path: &Path, format: DiskFormat) -> Result<Value> {
        let failed = |error| opening(path, error);
        let file = File::open(path).map_err(failed)?;
        let below = self.file(path)?;
        Ok(match format {
            DiskFormat::Raw => json!({ "driver": "raw", "read-only": true, "file": below }),
            DiskFormat::Qcow2 => self.qcow2(path, below)?,
            DiskFormat::Vmdk => self.vmdk(path, &file, below)?,
            DiskFormat::Vhd => vhd_node(path, &file, below)?,
            DiskFormat::Vhdx => self.vhdx(path, &file, below)?,
            DiskFormat::Vdi => {
                require_alone(path, vdi::has_parent(&file).map_err(failed)?)?;
                require_length(path, &file, vdi::least_bytes(&file).map_err(failed)?)?;
                json!({ "driver": "vdi", "read-only": true, "file": below })
            }
        })
    }

    /// Returns the node of a file, which may be read from now on.
    fn file(&mut self, path: &Path) -> Result<Value> {
        let failed = |error| opening(path, error);
        let path = std::path::absolute(path).map_err(failed)?;
        let is_device = path.metadata().map_err(failed)?.file_type().is_block_device();
        let name = path.to_str().ok_or_else(|| {
            let message = format!("the path {} is not UTF-8; rename the image", path.display());
            Error::new(ErrorKind::InvalidArgument, "path-not-utf-8", message)
        })?;
        let driver = if is_device { "host_device" } else { "file" };
        let node = json!({ "driver": driver, "filename": name, "read-only": true });
        self.files.push(path);
        Ok(node)
    }

    fn qcow2(&mut self, path: &Path, below: Value) -> Result<Value> {
        qcow2::require_whole(path)?;
        let names = qcow2::names(path).map_err(|error| opening(path, error))?;
        let mut node = json!({ "driver": "qcow2", "read-only": true, "file": below, "backing": null });
        if let Some((name, format)) = names.backing {
            self.require_allowed(path, &name, Other::Backing)?;
            let place = beside(path, &name);
            let format = match format.as_deref() {
                Some(format) => DiskFormat::of_name(format),
                // As the reader of qcow2 does that is not QEMU.
                None => {
                    probe::found(&place).map_err(|error| not_opened(path, &name, Other::Backing, &error))?
                }
            };
            let format = format.ok_or_else(|| {
                not_opened(path, &name, Other::Backing, &"it is in a format that cannot be read")
            })?;
            insert(&mut node, "backing", self.lower(path, &name, format)?);
        }
        if names.has_data_file {
            let name = names.data_file.unwrap_or_default();
            self.require_allowed(path, &name, Other::Data)?;
            let data = self.file(&beside(path, &name));
            insert(
                &mut node,
                "data-file",
                data.map_err(|error| not_opened(path, &name, Other::Data, &error))?,
            );
        }
        Ok(node)
    }

    fn vmdk(&mut self, path: &Path, file: &File, below: Value) -> Result<Value> {
        let description = vmdk::description(file).map_err(|error| opening(path, error))?;
        let Some(description) = description else {
            let message = format!(
                "{} is one extent of a VMDK and not the disk; give the file that describes the disk, which names its extents",
                path.display()
            );
            return Err(Error::new(ErrorKind::Disk, "vmdk-without-descriptor", message));
        };
        for extent in &description.extents {
            self.require_allowed(path, &extent.name, Other::Extent)?;
            let not_opened =
                |error: &dyn std::fmt::Display| not_opened(path, &extent.name, Other::Extent, error);
            if extent.name.split('/').next().is_some_and(|first| first.contains(':')) {
                return Err(not_opened(&"it is no name of a file"));
            }
            let place = beside(path, &extent.name);
            let there = File::open(&place).map_err(|error| not_opened(&error))?;
            require_length(&place, &there, extent.least_bytes)?;
            self.file(&place)?;
        }
        let mut node = json!({ "driver": "vmdk", "read-only": true, "file": below, "backing": null });
        if description.has_parent {
            let name = description.parent.ok_or_else(|| differencing(path))?;
            self.require_allowed(path, &name, Other::Backing)?;
            insert(&mut node, "backing", self.lower(path, &name, DiskFormat::Vmdk)?);
        }
        Ok(node)
    }

    /// A log is replayed into an image of ours between QEMU and the file.
    fn vhdx(&mut self, path: &Path, file: &File, below: Value) -> Result<Value> {
        let failed = |error| opening(path, error);
        require_alone(path, vhdx::has_parent(file).map_err(failed)?)?;
        if !vhdx::has_log(file).map_err(failed)? {
            return Ok(json!({ "driver": "vhdx", "read-only": true, "file": below }));
        }
        let length = length(file).map_err(failed)?.div_ceil(512) * 512;
        overlay::above_nothing(&self.log, length).and_then(|log| log.flush()).map_err(failed)?;
        let log = json!({ "driver": "file", "filename": self.log.to_string_lossy(), "read-only": false });
        let above = json!({ "driver": "qcow2", "read-only": false, "file": log, "backing": below });
        Ok(json!({ "driver": "vhdx", "read-only": false, "file": above }))
    }

    /// Returns the node of an image that another one names.
    fn lower(&mut self, path: &Path, name: &str, format: DiskFormat) -> Result<Value> {
        let not_opened = |error: &dyn std::fmt::Display| not_opened(path, name, Other::Backing, error);
        self.left = self.left.checked_sub(1).ok_or_else(|| not_opened(&chain::TOO_MANY))?;
        let place = beside(path, name);
        File::open(&place).map_err(|error| not_opened(&error))?;
        self.layer(&place, format)
    }

    fn require_allowed(&self, path: &Path, name: &str, other: Other) -> Result<()> {
        if self.allow_others {
            return Ok(());
        }
        let (path, code) = (path.display(), other.not_allowed());
        let what = match other {
            Other::Backing => format!("has the backing file {name:?}"),
            Other::Data => "keeps its data in another file".to_owned(),
            Other::Extent => format!("keeps its data in the file {name:?}"),
        };
        let message = format!("{path} {what}; allow backing files if you trust the image");
        Err(Error::new(ErrorKind::Disk, code, message))
    }
}

/// What another file is to an image.
#[derive(Clone, Copy)]
enum Other {
    Backing,
    Data,
    Extent,
}

impl Other {
    fn not_allowed(self) -> &'static str {
        match self {
            Self::Backing => "backing-file-not-allowed",
            Self::Data => "data-file-not-allowed",
            Self::Extent => "extent-file-not-allowed",
        }
    }
}

fn not_opened(path: &Path, name: &str, other: Other, error: &dyn std::fmt::Display) -> Error {
    let (what, code) = match other {
        Other::Backing | Other::Data => ("what it is based on", "backing-file-not-opened"),
        Other::Extent => ("its extent", "extent-file-not-opened"),
    };
    let message =
        format!("cannot open {what}, {name:?} of {}: {error}; put it where the image says", path.display());
    Error::new(ErrorKind::Disk, code, message)
}

fn vhd_node(path: &Path, file: &File, below: Value) -> Result<Value> {
    let failed = |error| opening(path, error);
    match vhd::at_end(file, length(file).map_err(failed)?).map_err(failed)? {
        Some(vhd::Kind::Fixed(size_bytes)) => {
            require_length(path, file, size_bytes.saturating_add(vhd::FOOTER_BYTES))?;
            Ok(json!({ "driver": "raw", "size": size_bytes, "read-only": true, "file": below }))
        }
        Some(vhd::Kind::Dynamic) => Ok(json!({ "driver": "vpc", "read-only": true, "file": below })),
        Some(vhd::Kind::Differencing) => Err(differencing(path)),
        None => {
            let message = format!(
                "{} has no footer of VHD at its end: it is cut off; copy the whole image",
                path.display()
            );
            Err(Error::new(ErrorKind::Disk, "disk-truncated", message))
        }
    }
}

fn require_alone(path: &Path, has_parent: bool) -> Result<()> {
    if has_parent { Err(differencing(path)) } else { Ok(()) }
}

fn differencing(path: &Path) -> Error {
    let message = format!(
        "{} holds only what differs from another disk, and cannot be joined with that here; merge them with the hypervisor's \
         tool, and give the whole disk",
        path.display()
    );
    Error::new(ErrorKind::Disk, "disk-differencing", message)
}

fn require_length(path: &Path, file: &File, least_bytes: u64) -> Result<()> {
    let length = length(file).map_err(|error| opening(path, error))?;
    if length >= least_bytes {
        return Ok(());
    }
    let message = format!(
        "{} is cut off: it has {length} bytes, and says that it has {least_bytes}; copy the whole image",
        path.display()
    );
    Err(Error::new(ErrorKind::Disk, "disk-truncated", message))
}

fn length(mut file: &File) -> io::Result<u64> {
    file.seek(SeekFrom::End(0))
}

/// Returns where a file is that an image names.
fn beside(path: &Path, name: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(name)
}

fn insert(node: &mut Value, key: &str, value: Value) {
    if let Some(node) = node.as_object_mut() {
        node.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests;
