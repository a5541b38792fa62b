//! Initramfs images: what is in them, and what must be appended so that they find their disk on the target.
//!
//! An image is a row of cpio archives, some compressed, unpacked one over the other (kernel: `init/initramfs.c`). We read
//! all of it ([`scan`]), say which modules are there and what loads them, and append one segment ([`segment`]) with the
//! modules that are missing, an index of all, and settings that name devices by the source's buses. Nothing in an image
//! is rewritten, and nothing of the guest runs unless the caller asks for the guest's own tool.

mod makers;
mod merged;
mod plan;
mod scan;
pub mod segment;
mod stream;

pub use crate::formats::compressed::Compression;
pub use plan::plan;

use crate::change::{FileHash, ModuleLoader};
use crate::finding::Finding;
use crate::linux::Probe;
use crate::linux::kernels::Kernel;
use crate::path::GuestPath;
use crate::text::TextFile;
use crate::tree::ReadError;
use serde::{Deserialize, Serialize};

/// What is known of initramfs images and of what makes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "InitramfsFacts"))]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The images that kernels are started with; `None` if none was looked at, since a plan was not asked for: they are large,
    /// and have to be unpacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<Image>>,
    /// The settings of the programs that make images.
    pub settings: Vec<Settings>,
}

/// An initramfs image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Image {
    /// The image.
    pub path: GuestPath,
    /// Version of the kernel that it belongs to.
    pub kernel: String,
    /// Its size and hash.
    pub file: FileHash,
    /// Where in it the kernel's modules are, links resolved: `/usr/lib/modules/6.1.0-41-amd64`.
    pub module_dir: String,
    /// Directories above and with `module_dir` that it lacks.
    pub missing_directories: Vec<String>,
    /// The paths of its modules relative to `module_dir`.
    pub modules: Vec<String>,
    /// What loads modules at boot: an index, or only a program that runs first.
    pub loader: ModuleLoader,
    /// How its last segment is compressed.
    pub tail: Compression,
    /// Whether something is behind its last archive that is none: the kernel stops there, and reads nothing that is appended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_closed: bool,
    /// How many bytes its compressed segments unpack to, as the limit counts them: what takes long counts more than once.
    #[serde(default)]
    pub unpacked_bytes: u64,
    /// Its text files that name devices.
    pub texts: Vec<ImageText>,
}

/// A text file in an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ImageText {
    /// Its path, links of parents resolved, without the leading `/`.
    pub path: String,
    /// Its content.
    pub text: String,
    /// Whether it has several hard links.
    pub is_hard_linked: bool,
}

/// A program that makes images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tool {
    /// Debian's initramfs-tools.
    InitramfsTools,
    /// dracut.
    Dracut,
    /// Arch's mkinitcpio.
    Mkinitcpio,
    /// Alpine's mkinitfs.
    Mkinitfs,
    /// mkinitrd of old SUSE and RHEL.
    Mkinitrd,
}

/// A program that makes images, with its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The program.
    pub tool: Tool,
    /// The program's file, for the caller who wants it to run.
    pub program: GuestPath,
    /// Its files, in the order in which it reads them.
    pub files: Vec<TextFile>,
}

/// Reads the images of the kernels, if they are wanted, and the settings of what makes them.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(probe: &Probe<'_>, kernels: &[Kernel], findings: &mut Vec<Finding>) -> Result<Facts, ReadError> {
    let images = probe.known.map(|known| images(probe, known, kernels, findings)).transpose()?;
    Ok(Facts { images, settings: makers::facts(probe, findings)? })
}

fn images(
    probe: &Probe<'_>,
    known: &[Image],
    kernels: &[Kernel],
    findings: &mut Vec<Finding>,
) -> Result<Vec<Image>, ReadError> {
    let mut images: Vec<Image> = Vec::new();
    let mut allowance = scan::Allowance::default();
    for kernel in kernels {
        let Some(path) = kernel.initramfs.as_ref().filter(|_| kernel.image.is_some()) else { continue };
        match image(probe, known, path, &kernel.version, &mut allowance)? {
            None => {}
            Some(Ok(image)) => images.push(image),
            Some(Err(reason)) => {
                let text = format!("the initramfs of the kernel {} cannot be read: {reason}", kernel.version);
                findings.push(Finding::warning("initramfs-unreadable", text).about(path.as_str()));
            }
        }
    }
    Ok(images)
}

/// Reads an image, as little of it as is not known; `None` if there is none.
fn image(
    probe: &Probe<'_>,
    known: &[Image],
    path: &GuestPath,
    kernel: &str,
    allowance: &mut scan::Allowance,
) -> Result<Option<Result<Image, String>>, ReadError> {
    // What is a hole of terabytes need not be read to be refused.
    if probe.tree.stat(path)?.is_some_and(|stat| stat.size_bytes > stream::CAP_IMAGE_BYTES) {
        return Ok(Some(Err(format!("it is larger than {} bytes", stream::CAP_IMAGE_BYTES))));
    }
    if !known.is_empty()
        && let Some(mut file) = probe.tree.open(path)?
        && let Ok(Some(image)) = scan::grown(known, path, kernel, &mut file, allowance)
    {
        return Ok(Some(Ok(image)));
    }
    Ok(probe.tree.open(path)?.map(|mut file| scan::scan(path, kernel, &mut file, allowance)))
}

#[cfg(test)]
mod tests;
