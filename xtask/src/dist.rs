//! `dist`: what a user installs, as a tree that can be moved anywhere, `target/dist`, and its tarball.
//!
//! ```text
//! bin/guestconv                        the command line
//! lib/libguestconv.so{,.0,.0.1.0}      the library, found by its soname libguestconv.so.0
//! lib/pkgconfig/guestconv.pc           which tells its place from its own
//! libexec/guestconv/                   the appliance, which program and library find from their own place
//! include/guestconv.h
//! share/                               man pages, completions, the schemas, documents, licences, examples
//! ```

use crate::{appliance, checkout, run};
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The library's soname, which `link.sh` gives it.
pub(crate) const SONAME: &str = "libguestconv.so.0";

/// The release that is shipped, in the checkout's own directory whatever the environment says.
const RELEASE: [&str; 4] = ["--locked", "--release", "--target-dir", "target"];

/// Where the completions of each shell go; the first name is that in `docs/completions`.
const COMPLETIONS: [(&str, &str); 3] = [
    ("guestconv.bash", "share/bash-completion/completions/guestconv"),
    ("_guestconv", "share/zsh/site-functions/_guestconv"),
    ("guestconv.fish", "share/fish/vendor_completions.d/guestconv.fish"),
];

/// The task: makes the tree and the tarball and prints both.
pub(crate) fn task(_: &[String]) -> Result<()> {
    let tree = tree()?;
    let tarball = tarball(&tree)?;
    println!("{}\n{}", tree.display(), tarball.display());
    Ok(())
}

/// Returns `target/dist`, made anew.
pub(crate) fn tree() -> Result<PathBuf> {
    let appliance = appliance::directory()?;
    build()?;
    let tree = checkout().join("target/dist");
    let new = checkout().join("target/dist.new");
    removed(&new)?;

    let release = checkout().join("target/release");
    installed(&release.join("guestconv"), &new.join("bin/guestconv"))?;
    run::run(Command::new("strip").arg("--strip-debug").arg(new.join("bin/guestconv")))?;
    library(&release.join("libguestconv_capi.a"), &new.join("lib"))?;
    for file in files_of(&appliance)? {
        installed(&file, &new.join("libexec/guestconv").join(name_of(&file)?))?;
    }
    let header = checkout().join("crates/guestconv-capi/include/guestconv.h");
    installed(&header, &new.join("include/guestconv.h"))?;
    share(&new.join("share"), &new)?;

    removed(&tree)?;
    fs::rename(&new, &tree).with_context(|| format!("cannot rename to {}", tree.display()))?;
    Ok(tree)
}

/// Builds program and library at once: most of both is the same.
pub(crate) fn build() -> Result<()> {
    eprintln!("building program and library");
    let packages = ["--package", "guestconv-cli", "--package", "guestconv-capi"];
    run::run(cargo().arg("build").args(RELEASE).args(packages))
}

/// Builds the program alone and returns its file.
pub(crate) fn program() -> Result<PathBuf> {
    eprintln!("building the program");
    run::run(cargo().arg("build").args(RELEASE).args(["--package", "guestconv-cli"]))?;
    Ok(checkout().join("target/release/guestconv"))
}

/// Returns what a campaign is tried on: the program that is named, or else one built for release; and the appliance that the
/// environment names, or else that of this checkout.
///
/// # Errors
/// If the program is not there, or cannot be built.
pub(crate) fn tried(program: Option<PathBuf>) -> Result<(PathBuf, PathBuf)> {
    let appliance = match env::var_os("GUESTCONV_APPLIANCE") {
        Some(named) => named.into(),
        None => appliance::directory()?,
    };
    let program = match program {
        Some(program) => fs::canonicalize(&program)
            .with_context(|| format!("there is no program {}", program.display()))?,
        None => self::program()?,
    };
    Ok((program, appliance))
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(checkout());
    cargo
}

/// Links the library from the archive of its objects, with its soname and the versions of its symbols.
fn library(archive: &Path, lib: &Path) -> Result<()> {
    let file = format!("libguestconv.so.{VERSION}");
    fs::create_dir_all(lib).with_context(|| format!("cannot make {}", lib.display()))?;
    run::run(
        Command::new(checkout().join("crates/guestconv-capi/link.sh")).arg(archive).arg(lib.join(&file)),
    )?;
    run::run(Command::new("strip").arg("--strip-debug").arg(lib.join(&file)))?;
    for (link, to) in [(SONAME, file.as_str()), ("libguestconv.so", SONAME)] {
        symlink(to, lib.join(link)).with_context(|| format!("cannot make the link {link}"))?;
    }
    let directory = lib.join("pkgconfig");
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    fs::write(directory.join("guestconv.pc"), package_config()).context("cannot write guestconv.pc")
}

fn package_config() -> String {
    format!(
        "prefix=${{pcfiledir}}/../..\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\n\
         Name: guestconv\nDescription: Makes any guest boot on any hypervisor\nVersion: {VERSION}\n\
         Libs: -L${{libdir}} -lguestconv\nCflags: -I${{includedir}}\n"
    )
}

fn share(share: &Path, new: &Path) -> Result<()> {
    let root = checkout();
    for name in
        ["README.md", "CHANGELOG.md", "COPYING.LIB", "docs/findings.md", "docs/errors.md", "docs/limits.md"]
    {
        let from = root.join(name);
        installed(&from, &share.join("doc/guestconv").join(name_of(&from)?))?;
    }
    installed(&root.join("docs/guestconv.rng"), &share.join("guestconv/guestconv.rng"))?;
    for schema in files_of(&root.join("docs/schemas"))? {
        installed(&schema, &share.join("guestconv/schemas").join(name_of(&schema)?))?;
    }
    for example in optional_files_of(&root.join("examples"))? {
        installed(&example, &share.join("doc/guestconv/examples").join(name_of(&example)?))?;
    }
    for page in optional_files_of(&root.join("docs/man"))? {
        let section = page.extension().and_then(|section| section.to_str()).unwrap_or_default();
        if section.len() != 1 || !section.bytes().all(|byte| byte.is_ascii_digit()) {
            bail!("{} is no man page: its name ends in no section", page.display());
        }
        installed(&page, &share.join(format!("man/man{section}")).join(name_of(&page)?))?;
    }
    for completion in optional_files_of(&root.join("docs/completions"))? {
        let name = name_of(&completion)?;
        let place = COMPLETIONS.iter().find(|(file, _)| *file == name);
        let (_, place) = place.with_context(|| format!("{name} is of no shell that dist knows"))?;
        installed(&completion, &new.join(place))?;
    }
    Ok(())
}

fn tarball(tree: &Path) -> Result<PathBuf> {
    let name = format!("guestconv-{VERSION}-{}", env::consts::ARCH);
    let tarball = checkout().join("target").join(format!("{name}.tar.xz"));
    let mut tar = Command::new("tar");
    // The same tree makes the same bytes.
    tar.args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg(format!("--transform=flags=r;s,^\\.,{name},")).arg("-C").arg(tree);
    run::run(tar.arg("-cJf").arg(&tarball).arg(".").env("XZ_OPT", "-T0"))?;
    Ok(tarball)
}

/// Copies the file, with its mode, and makes the folder for it.
pub(crate) fn installed(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Returns the files of a directory, links to files included, by name.
pub(crate) fn files_of(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = || format!("cannot list {}", directory.display());
    let entries = fs::read_dir(directory).with_context(failed)?;
    let mut files =
        entries.map(|entry| Ok(entry.with_context(failed)?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}

/// Returns the files of a directory that need not be there; that it is not is said.
fn optional_files_of(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.is_dir() {
        eprintln!("dist: there is no {}, and nothing of it in the tree", directory.display());
        return Ok(Vec::new());
    }
    files_of(directory)
}

/// Returns the file's name.
pub(crate) fn name_of(file: &Path) -> Result<&str> {
    let name = file.file_name().and_then(|name| name.to_str());
    name.with_context(|| format!("{} has no name in UTF-8", file.display()))
}

/// Removes the directory, if it is there.
pub(crate) fn removed(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_completions_and_schemas_are_where_they_are_looked_for() {
        let tree = tempfile::tempdir().unwrap();
        share(&tree.path().join("share"), tree.path()).unwrap();
        let pages = ["", "-inspect", "-plan", "-convert", "-verify", "-prove", "-targets", "-schema"];
        let documents =
            ["description", "facts", "plan", "outcome", "report", "proof", "targets", "event", "error"];
        let others = COMPLETIONS.map(|(_, place)| place.to_owned());
        let missing: Vec<String> = (pages.iter().map(|name| format!("share/man/man1/guestconv{name}.1")))
            .chain(documents.iter().map(|name| format!("share/guestconv/schemas/{name}.json")))
            .chain(others)
            .chain(["share/guestconv/guestconv.rng".to_owned()])
            .filter(|file| !tree.path().join(file).is_file())
            .collect();
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn the_package_configuration_can_be_moved() {
        assert_eq!(
            package_config(),
            format!(
                "prefix=${{pcfiledir}}/../..\n\
                 libdir=${{prefix}}/lib\n\
                 includedir=${{prefix}}/include\n\
                 \n\
                 Name: guestconv\n\
                 Description: Makes any guest boot on any hypervisor\n\
                 Version: {VERSION}\n\
                 Libs: -L${{libdir}} -lguestconv\n\
                 Cflags: -I${{includedir}}\n"
            )
        );
    }
}
