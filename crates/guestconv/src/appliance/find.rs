//! Where the appliance is: a directory with `agent` (its `/init`), `VERSION`, and for x86-64 `kernel` (the executable, which has
//! the agent in it).
//!
//! `GUESTCONV_APPLIANCE` names it; else it is `../libexec/guestconv/` seen from the file that this code is in, be it a
//! program or `libguestconv.so`, or from the running program. A library in a Python package must not take the appliance
//! of another release that is installed beside Python.
//!
//! A library and an appliance of different versions refuse each other, and so do two of one version that were built from
//! other sources of the core: what goes between them may have another shape, and would fail as nonsense.

use crate::error::{Error, ErrorKind, Result};
use guestconv_core::protocol::VERSION;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The environment variable that names the appliance's directory.
pub const APPLIANCE_VARIABLE: &str = "GUESTCONV_APPLIANCE";

/// The files of an appliance of our version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    /// Where they are.
    pub(crate) directory: PathBuf,
    /// The executable; `None` where the appliance has none for the architecture.
    pub(crate) kernel: Option<PathBuf>,
    /// The agent, for a kernel that has it not.
    pub(crate) agent: PathBuf,
}

/// Returns the appliance in `given`, or else where it is looked for.
pub(crate) fn find(given: Option<&Path>) -> Result<Files> {
    let places = match (given, env::var_os(APPLIANCE_VARIABLE).filter(|value| !value.is_empty())) {
        (Some(given), _) => vec![given.to_owned()],
        (None, Some(named)) => vec![PathBuf::from(named)],
        (None, None) => beside([own_object(), env::current_exe().ok()]),
    };
    find_in(&places)
}

fn find_in(places: &[PathBuf]) -> Result<Files> {
    let Some(dir) = places.iter().find(|dir| ["kernel", "agent"].iter().any(|file| dir.join(file).is_file()))
    else {
        let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        return Err(Error::new(
            ErrorKind::Appliance,
            "appliance-not-found",
            format!("no appliance in {}; set {APPLIANCE_VARIABLE} to its directory", places.join(" or ")),
        ));
    };
    let version = fs::read_to_string(dir.join("VERSION"));
    let version = version.map_err(|error| damaged(dir, "VERSION", error))?;
    let version = version.lines().next().unwrap_or("").trim();
    if version != VERSION {
        return Err(Error::new(
            ErrorKind::Appliance,
            "appliance-version",
            format!(
                "the appliance in {} is of version {version:?}, this library of {VERSION}; install both from one release",
                dir.display()
            ),
        ));
    }
    let agent = dir.join("agent");
    fs::metadata(&agent).map_err(|error| damaged(dir, "agent", error))?;
    let kernel = dir.join("kernel");
    let kernel = match kernel.try_exists() {
        Ok(false) => None,
        _ => Some(fs::canonicalize(&kernel).map_err(|error| damaged(dir, "kernel", error))?),
    };
    Ok(Files { directory: dir.clone(), kernel, agent })
}

fn damaged(dir: &Path, file: &str, error: io::Error) -> Error {
    let message = format!(
        "the appliance in {} is incomplete: cannot read {file}: {error}; install it again",
        dir.display()
    );
    Error::new(ErrorKind::Appliance, "appliance-incomplete", message).caused_by(error)
}

fn beside<const N: usize>(objects: [Option<PathBuf>; N]) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for object in objects.into_iter().flatten() {
        // Both may be reached by links: bin/guestconv -> /opt/guestconv/bin/guestconv.
        let object = fs::canonicalize(&object).unwrap_or(object);
        let prefix = object.parent().and_then(Path::parent);
        let place = prefix.map(|prefix| prefix.join("libexec/guestconv"));
        places.extend(place.filter(|place| !places.contains(place)));
    }
    places
}

/// Returns the file that this code was loaded from: the program, or `libguestconv.so` in it.
fn own_object() -> Option<PathBuf> {
    static HERE: u8 = 0;
    let here = std::ptr::from_ref(&HERE).addr();
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| object_at(line, here))
}

/// Returns the file of a line of `/proc/PID/maps` if it covers `address`.
fn object_at(line: &str, address: usize) -> Option<PathBuf> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    let covers = number(start)? <= address && address < number(end)?;
    let path = rest.find('/').and_then(|at| rest.get(at..))?;
    covers.then(|| PathBuf::from(path.trim_end_matches(" (deleted)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_an_appliance_of_our_version_or_an_error_that_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str, files: &[(&str, &str)]| {
            let place = dir.path().join(name);
            fs::create_dir(&place).unwrap();
            files.iter().for_each(|(file, text)| fs::write(place.join(file), text).unwrap());
            place
        };
        let current = format!("{VERSION}\nlinux 7.3\n");
        let other_sources = format!("{}+0123456789abcdef\nlinux 7.3\n", env!("CARGO_PKG_VERSION"));
        for (place, expected) in [
            (place("whole", &[("kernel", ""), ("agent", ""), ("VERSION", &current)]), None),
            (
                place("other", &[("kernel", ""), ("agent", ""), ("VERSION", "0.0.9")]),
                Some("appliance-version"),
            ),
            (
                place("sources", &[("kernel", ""), ("agent", ""), ("VERSION", &other_sources)]),
                Some("appliance-version"),
            ),
            (place("no-kernel", &[("agent", ""), ("VERSION", &current)]), None),
            (place("no-agent", &[("kernel", ""), ("VERSION", &current)]), Some("appliance-incomplete")),
            (place("no-version", &[("kernel", ""), ("agent", "")]), Some("appliance-incomplete")),
            (place("empty", &[]), Some("appliance-not-found")),
        ] {
            let code = find(Some(&place)).err().map(|error| error.code().to_owned());
            assert_eq!(code.as_deref(), expected, "{}", place.display());
        }
        let error = find_in(&[PathBuf::from("/a"), PathBuf::from("/b")]).unwrap_err();
        assert_eq!(error.to_string(), "no appliance in /a or /b; set GUESTCONV_APPLIANCE to its directory");
    }

    #[test]
    fn this_code_is_found_in_the_test_program() {
        assert_eq!(own_object(), Some(fs::canonicalize(env::current_exe().unwrap()).unwrap()));
        let line = "7f00-7fff r-xp 00001000 08:01 42   /usr/lib/lib guest.so (deleted)";
        assert_eq!(object_at(line, 0x7f00), Some(PathBuf::from("/usr/lib/lib guest.so")));
        assert_eq!(object_at(line, 0x7fff), None);
    }
}
