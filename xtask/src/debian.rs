//! The Debian that we run on: its release, its mirror and its packages.
//!
//! The mirror is the one that the machine's own apt uses; no host is named here.

use crate::run;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The keys of all Debian releases, which sign every suite.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Returns the code name of the machine's release, such as `bookworm`.
///
/// # Errors
/// If the machine is not a Debian.
pub(crate) fn codename() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    codename_in(&text)
        .context("this machine is no release of Debian; packages can be installed on Debian only")
}

/// Returns the address of the mirror that the machine's apt uses.
///
/// # Errors
/// If the machine is not a Debian, or its apt has no source for its own release.
pub(crate) fn mirror() -> Result<String> {
    let codename = codename()?;
    let targets = index_targets()?;
    let found = targets.iter().find(|target| target.suite == codename);
    let found = found.with_context(|| format!("apt on this machine has no source for {codename}"))?;
    Ok(found.mirror.clone())
}

/// Is the suite among the sources of the machine's apt?
pub(crate) fn has_suite(suite: &str) -> Result<bool> {
    Ok(index_targets()?.iter().any(|target| target.suite == suite))
}

/// Returns a line for a list of sources: the component main of the suite on the machine's mirror.
pub(crate) fn source_line(suite: &str) -> Result<String> {
    if !Path::new(KEYRING).is_file() {
        bail!("{KEYRING} is missing; install debian-archive-keyring");
    }
    Ok(format!("deb [signed-by={KEYRING}] {} {suite} main\n", mirror()?))
}

/// Returns those of the packages that are not installed.
pub(crate) fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let installed =
        run::output(Command::new("dpkg-query").args(["-W", "-f", "${Package} ${db:Status-Status}\\n"]))?;
    let installed: BTreeSet<&str> =
        installed.lines().filter_map(|line| line.strip_suffix(" installed")).collect();
    Ok(packages.iter().copied().filter(|package| !installed.contains(package)).collect())
}

/// An apt of our own: other suites on the machine's mirror, with lists and cache in a directory of ours. It neither needs
/// root nor touches the machine's apt.
pub(crate) struct PrivateApt {
    directory: PathBuf,
}

impl PrivateApt {
    /// Makes it in the directory and fetches the lists of the suites.
    pub(crate) fn with_suites(directory: &Path, suites: &[&str]) -> Result<PrivateApt> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            let folder = directory.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let lines = suites.iter().map(|suite| source_line(suite)).collect::<Result<String>>()?;
        let sources = directory.join("sources.list");
        fs::write(&sources, lines).with_context(|| format!("cannot write {}", sources.display()))?;
        let apt = PrivateApt { directory: directory.to_owned() };
        run::run(apt.command("apt-get").arg("update"))?;
        Ok(apt)
    }

    /// Returns the versions of the package that there are.
    pub(crate) fn versions(&self, package: &str) -> Result<Vec<String>> {
        let table = run::output(self.command("apt-cache").args(["madison", package]))?;
        Ok(versions_in(&table))
    }

    /// Returns the first package that this one needs.
    pub(crate) fn needed_by(&self, package: &str) -> Result<String> {
        let text = run::output(self.command("apt-cache").args(["show", "--no-all-versions", package]))?;
        first_needed_in(&text).with_context(|| format!("{package} needs no other package"))
    }

    /// Returns the names of the packages that the regular expression matches.
    pub(crate) fn names(&self, expression: &str) -> Result<Vec<String>> {
        let lines = run::output(self.command("apt-cache").args(["search", "--names-only", expression]))?;
        Ok(lines.lines().filter_map(|line| line.split_once(' ')).map(|(name, _)| name.to_owned()).collect())
    }

    /// Returns the package's file, fetched.
    pub(crate) fn download(&self, package: &str, version: &str) -> Result<PathBuf> {
        let wanted = format!("{package}={version}");
        run::run(self.command("apt-get").current_dir(&self.directory).args(["download", &wanted]))?;
        let files = fs::read_dir(&self.directory).context("cannot list what was fetched")?;
        let files = files.map(|file| Ok(file?.path())).collect::<Result<Vec<PathBuf>>>()?;
        let found =
            files.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "deb"));
        found.with_context(|| format!("apt fetched no file for {wanted}"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let directory = self.directory.display();
        for option in [
            format!("Dir::Etc::sourcelist={directory}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferences=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            format!("Dir::State::lists={directory}/lists"),
            format!("Dir::Cache={directory}/cache"),
            "Acquire::Languages=none".to_owned(),
            // A mirror may be a snapshot of some day, and signed then.
            "Acquire::Check-Valid-Until=false".to_owned(),
            // The user _apt may not enter our directory.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.arg("-q");
        command
    }
}

/// A list of packages that the machine's apt reads.
struct IndexTarget {
    suite: String,
    mirror: String,
}

fn index_targets() -> Result<Vec<IndexTarget>> {
    let format = "$(RELEASE) $(COMPONENT) $(REPO_URI)";
    let lines = run::output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Identifier: Packages",
    ]))?;
    Ok(index_targets_in(&lines))
}

fn index_targets_in(lines: &str) -> Vec<IndexTarget> {
    let fields = lines.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields
        .filter_map(|fields| match fields.as_slice() {
            [suite, "main", mirror] => Some(IndexTarget {
                suite: (*suite).to_owned(),
                mirror: mirror.trim_end_matches('/').to_owned(),
            }),
            _ => None,
        })
        .collect()
}

fn codename_in(os_release: &str) -> Option<String> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    value("VERSION_CODENAME").filter(|_| value("ID").as_deref() == Some("debian"))
}

fn versions_in(madison: &str) -> Vec<String> {
    let versions = madison.lines().filter(|line| line.ends_with(" Packages"));
    versions.filter_map(|line| line.split('|').nth(1)).map(|version| version.trim().to_owned()).collect()
}

/// Returns the first package of the field `Depends`.
fn first_needed_in(shown: &str) -> Option<String> {
    let field = shown.lines().find_map(|line| line.strip_prefix("Depends: "))?;
    field.split([' ', ',']).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_debian_has_a_codename() {
        for (text, expected) in [
            ("ID=debian\nVERSION_CODENAME=bookworm\n", Some("bookworm")),
            ("VERSION_CODENAME=\"trixie\"\nID=\"debian\"\n", Some("trixie")),
            ("ID=ubuntu\nVERSION_CODENAME=noble\n", None),
            ("ID=debian\n", None),
        ] {
            assert_eq!(codename_in(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn versions_are_the_second_column() {
        let table = " linux-source-7.3 | 7.3.4-1 | http://a/debian sid/main amd64 Packages\n \
                     linux-source-7.3 | 7.3.4-1~bpo13+1 | http://a/debian trixie-backports/main amd64 Packages\n \
                     linux | 7.3.4-1 | http://a/debian sid/main Sources\n";
        assert_eq!(versions_in(table), ["7.3.4-1", "7.3.4-1~bpo13+1"]);
    }

    #[test]
    fn what_a_package_needs_is_in_its_field() {
        let text = "Package: a\nPre-Depends: x\nDepends: b (= 1.2), c\nDescription: d\n";
        assert_eq!(first_needed_in(text).as_deref(), Some("b"));
        assert_eq!(first_needed_in("Package: a\n"), None);
    }

    #[test]
    fn the_mirror_is_the_one_of_the_component_main() {
        let lines =
            "bookworm main http://a/debian/\nbookworm contrib http://a/debian/\nnodistro x http://b/\n";
        let targets: Vec<_> =
            index_targets_in(lines).into_iter().map(|target| (target.suite, target.mirror)).collect();
        assert_eq!(targets, [("bookworm".to_owned(), "http://a/debian".to_owned())]);
    }
}
