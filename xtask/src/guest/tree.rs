//! The root tree of a guest as a tar: Debian's packages, the files and the script of the description.

use super::description::Description;
use super::emulation::Emulation;
use crate::{cache, run};
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the tar.
pub(super) fn make(description: &Description) -> Result<PathBuf> {
    let script = script(description);
    let packages = description.packages.join(",");
    let mut inputs = vec![script.as_bytes(), packages.as_bytes(), description.suite.as_bytes()];
    inputs.extend(description.excluded.iter().map(String::as_bytes));
    if description.is_foreign() {
        inputs.push(description.arch.as_bytes());
    }
    let entry = cache::entry("tree", &inputs, |dir| {
        let emulation = description.is_foreign().then(Emulation::start).transpose();
        let _emulation =
            emulation.with_context(|| format!("cannot run programs for {}", description.arch))?;
        build(description, &packages, &script, dir)
    })?;
    Ok(entry.join("root.tar"))
}

fn build(description: &Description, packages: &str, script: &str, dir: &Path) -> Result<()> {
    let hook = dir.join("customize.sh");
    fs::write(&hook, script)?;
    run::run(
        Command::new("mmdebstrap")
            .args(["--quiet", "--mode=root", "--variant=minbase", "--skip=check/qemu"])
            .arg(format!("--architectures={}", description.arch))
            .arg(format!("--include={packages}"))
            .args(["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"])
            .arg("--dpkgopt=path-exclude=/usr/share/locale/*")
            .args(description.excluded.iter().map(|glob| format!("--dpkgopt=path-exclude={glob}")))
            .arg(format!("--customize-hook=sh {} \"$1\"", hook.display()))
            .arg(&description.suite)
            .arg(dir.join("root.tar")),
    )
}

/// Returns the script that is run on the host with the root tree as its argument.
fn script(description: &Description) -> String {
    let mut script = String::from("set -eu\n");
    for file in &description.files {
        let path = format!("\"$1\"'{}'", file.path);
        let text = file.text.trim_end_matches('\n');
        let mode = &file.mode;
        // Writing to a String cannot fail.
        let _written = write!(
            script,
            "mkdir -p \"$(dirname {path})\"\ncat > {path} <<'END-OF-FILE'\n{text}\nEND-OF-FILE\nchmod {mode} {path}\n"
        );
    }
    script + "chroot \"$1\" sh -eu <<'END-OF-SCRIPT'\n" + description.tree.trim_end() + "\nEND-OF-SCRIPT\n"
}
