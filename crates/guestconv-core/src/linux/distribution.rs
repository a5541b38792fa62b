//! Which distribution a root is: os-release first, then release files; and what can be told without them.
//!
//! Nothing decides by a distribution's name whether a root can be converted: an unknown one is a system if it has what a
//! system has. The name is for people, for libosinfo, and for the document's `<distribution>`.

mod arch;
pub mod known;
mod release_files;

use crate::formats::os_release::OsRelease;
use crate::formats::shell_vars;
use crate::linux::Probe;
use crate::path::guest_path;
use crate::tree::{GuestTree, ReadError, first_existing};

/// What a root says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `ID` of os-release; `unknown` if nothing says.
    pub id: String,
    /// First number of the version.
    pub major: Option<u32>,
    /// Second number of the version.
    pub minor: Option<u32>,
    /// Name for people.
    pub product: String,
    /// libosinfo's short id.
    pub osinfo: Option<String>,
    /// Architecture of its programs.
    pub arch: String,
    /// Host name.
    pub hostname: Option<String>,
}

/// Reads what a root says of itself; `None` if it is no Linux system.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be read.
pub fn facts(probe: &Probe<'_>) -> Result<Option<Distribution>, ReadError> {
    let tree = probe.tree;
    if !is_system(tree)? {
        return Ok(None);
    }
    let said = said(tree)?;
    let (major, mut minor) = said.version.as_deref().map_or((None, None), numbers);
    if let (Some(major), None) = (major, minor) {
        minor = release_files::minor(tree, major)?;
    }
    let version = known::Version { name: &said.name, text: said.version.as_deref(), major, minor };
    let osinfo = known::by_id(&said.id).and_then(|row| row.osinfo(&version));
    Ok(Some(Distribution {
        osinfo,
        major,
        minor,
        arch: arch::facts(tree)?,
        hostname: hostname(tree)?,
        id: said.id,
        product: said.product,
    }))
}

/// Returns whether a tree is the root of a Linux system: it has `/etc`, something that starts a system, and libraries or an
/// fstab. A separate `/usr`, a `/boot`, and data are none.
///
/// # Errors
/// [`ReadError`] if a file that is there cannot be looked at.
pub fn is_system(tree: &dyn GuestTree) -> Result<bool, ReadError> {
    const INIT: [&str; 9] = [
        "/sbin/init",
        "/usr/sbin/init",
        "/bin/init",
        "/usr/lib/systemd/systemd",
        "/lib/systemd/systemd",
        "/etc/inittab",
        "/etc/systemd/system",
        "/bin/busybox",
        "/nix/var/nix/profiles/system",
    ];
    const REST: [&str; 6] = ["/lib", "/lib64", "/usr/lib", "/etc/fstab", "/nix/store", "/etc/os-release"];
    // A separate /usr leaves dangling links of a merged root: links count as much as what they lead to.
    let any = |paths: &[&'static str]| -> Result<bool, ReadError> {
        for path in paths {
            let path = guest_path(path);
            if tree.exists(&path)? || tree.read_link(&path)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    };
    Ok(tree.is_dir(&guest_path("/etc"))? && any(&INIT)? && any(&REST)?)
}

/// What the files say, whichever says it.
struct Said {
    id: String,
    name: String,
    product: String,
    version: Option<String>,
}

fn said(tree: &dyn GuestTree) -> Result<Said, ReadError> {
    let read = |paths: &[&'static str]| -> Result<Option<String>, ReadError> {
        let Some(path) = first_existing(tree, paths)? else { return Ok(None) };
        Ok(tree.read(&path, 64 << 10)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let os = read(&["/etc/os-release", "/usr/lib/os-release"])?;
    let os = os.map(|text| OsRelease::parse(&text)).unwrap_or_default();
    let lsb = read(&["/etc/lsb-release"])?.map(|text| OsRelease::parse_lsb(&text)).unwrap_or_default();
    if let Some(chosen) = chosen(os, lsb) {
        return Ok(chosen);
    }
    Ok(match release_files::facts(tree)? {
        Some(release) => Said {
            id: release.known.map_or("unknown", |row| &row.id).to_owned(),
            name: release.product.clone(),
            product: release.product,
            version: release.version,
        },
        None => Said {
            id: "unknown".to_owned(),
            name: String::new(),
            product: "unknown Linux".to_owned(),
            version: None,
        },
    })
}

/// os-release says it, but a derivative may have kept its base's os-release and changed lsb-release only (Linux Mint 17).
fn chosen(os: OsRelease, lsb: OsRelease) -> Option<Said> {
    let derived = match (&os.id, &lsb.id) {
        (Some(base), Some(id)) => known::by_id(id).is_some_and(|row| row.is_based_on(base)),
        (None, Some(id)) => known::by_id(id).is_some(),
        _ => false,
    };
    let source = if derived { lsb } else { os };
    let id = source.id?;
    let name = source.name.unwrap_or_else(|| id.clone());
    let product = source.pretty_name.unwrap_or_else(|| name.clone());
    Some(Said { id, name, product, version: source.version_id })
}

/// Returns the first two numbers of a version: `12.5`, `15-SP4`, `7.1.1503`.
fn numbers(version: &str) -> (Option<u32>, Option<u32>) {
    let mut parts = version.split(['.', '-']).map(|part| part.trim_start_matches("SP"));
    let mut next = || parts.next().and_then(|part| part.parse().ok());
    let major = next();
    (major, if major.is_some() { next() } else { None })
}

fn hostname(tree: &dyn GuestTree) -> Result<Option<String>, ReadError> {
    for path in ["/etc/hostname", "/etc/HOSTNAME"] {
        let Some(bytes) = tree.read(&guest_path(path), 64 << 10)? else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        if let Some(name) = name {
            return Ok(Some(name.to_owned()));
        }
    }
    for (path, variable) in [("/etc/sysconfig/network", "HOSTNAME"), ("/etc/conf.d/hostname", "hostname")] {
        let Some(bytes) = tree.read(&guest_path(path), 64 << 10)? else { continue };
        let name = shell_vars::value(&String::from_utf8_lossy(&bytes), variable);
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::MemTree;
    use crate::layout::Layout;

    /// Release texts as the distributions ship them, and what follows: id, major, minor, product, libosinfo id.
    #[test]
    fn release_files_of_real_distributions_are_understood() {
        let os = |text: &'static str| vec![("/etc/os-release", text)];
        let row = |id, major, minor, product, osinfo| (id, major, minor, product, osinfo);
        for (files, expected) in [
            (
                vec![
                    (
                        "/etc/os-release",
                        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n",
                    ),
                    ("/etc/debian_version", "12.5\n"),
                ],
                row("debian", Some(12), Some(5), "Debian GNU/Linux 12 (bookworm)", Some("debian12")),
            ),
            (
                os("PRETTY_NAME=\"Debian GNU/Linux bookworm/sid\"\nNAME=\"Debian GNU/Linux\"\nID=debian\n"),
                row("debian", None, None, "Debian GNU/Linux bookworm/sid", None),
            ),
            (
                vec![("/etc/debian_version", "6.0.10\n")],
                row("debian", Some(6), Some(0), "Debian GNU/Linux 6.0.10", Some("debian6")),
            ),
            (
                os(
                    "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\nPRETTY_NAME=\"Ubuntu 22.04.3 LTS\"\nVERSION_ID=\"22.04\"\n",
                ),
                row("ubuntu", Some(22), Some(4), "Ubuntu 22.04.3 LTS", Some("ubuntu22.04")),
            ),
            (
                vec![
                    (
                        "/etc/os-release",
                        "NAME=\"Ubuntu\"\nID=ubuntu\nPRETTY_NAME=\"Ubuntu 14.04.3 LTS\"\nVERSION_ID=\"14.04\"\n",
                    ),
                    (
                        "/etc/lsb-release",
                        "DISTRIB_ID=LinuxMint\nDISTRIB_RELEASE=17.3\nDISTRIB_DESCRIPTION=\"Linux Mint 17.3 Rosa\"\n",
                    ),
                ],
                row("linuxmint", Some(17), Some(3), "Linux Mint 17.3 Rosa", None),
            ),
            (
                vec![
                    ("/etc/os-release", ""),
                    ("/etc/redhat-release", "Red Hat Enterprise Linux Server release 6.5 (Santiago)\n"),
                ],
                row(
                    "rhel",
                    Some(6),
                    Some(5),
                    "Red Hat Enterprise Linux Server release 6.5 (Santiago)",
                    Some("rhel6.5"),
                ),
            ),
            (
                vec![("/etc/redhat-release", "Red Hat Enterprise Linux AS release 4 (Nahant Update 8)\n")],
                row(
                    "rhel",
                    Some(4),
                    Some(8),
                    "Red Hat Enterprise Linux AS release 4 (Nahant Update 8)",
                    Some("rhel4.8"),
                ),
            ),
            (
                vec![
                    (
                        "/etc/os-release",
                        "NAME=\"CentOS Linux\"\nID=\"centos\"\nVERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\n",
                    ),
                    ("/etc/centos-release", "CentOS Linux release 7.1.1503 (Core) \n"),
                ],
                row("centos", Some(7), Some(1), "CentOS Linux 7 (Core)", Some("centos7.0")),
            ),
            (
                os(
                    "NAME=\"CentOS Stream\"\nID=\"centos\"\nVERSION_ID=\"9\"\nPRETTY_NAME=\"CentOS Stream 9\"\n",
                ),
                row("centos", Some(9), None, "CentOS Stream 9", Some("centos-stream9")),
            ),
            (
                vec![("/etc/redhat-release", "CloudLinux Server release 6.8 (Oleg Makarov)\n")],
                row(
                    "cloudlinux",
                    Some(6),
                    Some(8),
                    "CloudLinux Server release 6.8 (Oleg Makarov)",
                    Some("rhel6.8"),
                ),
            ),
            (
                os(
                    "NAME=\"AlmaLinux\"\nID=\"almalinux\"\nVERSION_ID=\"8.10\"\nPRETTY_NAME=\"AlmaLinux 8.10 (Cerulean Leopard)\"\n",
                ),
                row("almalinux", Some(8), Some(10), "AlmaLinux 8.10 (Cerulean Leopard)", Some("almalinux8")),
            ),
            (
                os(
                    "NAME=\"SLES\"\nVERSION=\"12-SP1\"\nVERSION_ID=\"12.1\"\nPRETTY_NAME=\"SUSE Linux Enterprise Server 12 SP1\"\nID=\"sles\"\n",
                ),
                row("sles", Some(12), Some(1), "SUSE Linux Enterprise Server 12 SP1", Some("sles12sp1")),
            ),
            (
                vec![(
                    "/etc/SuSE-release",
                    "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n",
                )],
                row("sles", Some(11), Some(4), "SUSE Linux Enterprise Server 11 (x86_64)", Some("sles11sp4")),
            ),
            (
                os("NAME=\"Arch Linux\"\nPRETTY_NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\n"),
                row("arch", None, None, "Arch Linux", Some("archlinux")),
            ),
            (
                os("NAME=Foonix\nID=foonix\nVERSION_ID=3.1.4\n"),
                row("foonix", Some(3), Some(1), "Foonix", None),
            ),
            (vec![], row("unknown", None, None, "unknown Linux", None)),
            (
                vec![("/etc/redhat-release", "Homemade release 3\n")],
                row("unknown", Some(3), None, "Homemade release 3", None),
            ),
        ] {
            let mut files = files;
            files.extend([("/etc/fstab", ""), ("/sbin/init", "")]);
            let (tree, layout) = (MemTree::of(&files), Layout::default());
            let found = super::facts(&Probe { tree: &tree, layout: &layout, mounts: &[], known: Some(&[]) })
                .unwrap()
                .unwrap();
            let (id, major, minor, product, osinfo) = expected;
            let expected = Distribution {
                id: id.to_owned(),
                major,
                minor,
                product: product.to_owned(),
                osinfo: osinfo.map(str::to_owned),
                arch: "unknown".to_owned(),
                hostname: None,
            };
            assert_eq!(found, expected, "{files:?}");
        }
    }

    #[test]
    fn the_host_name_is_where_the_distribution_keeps_it() {
        for (files, name) in [
            (vec![("/etc/hostname", "# mine\nguest.example.com\n")], Some("guest.example.com")),
            (vec![("/etc/HOSTNAME", "suse.example.com\n")], Some("suse.example.com")),
            (vec![("/etc/hostname", "\n"), ("/etc/sysconfig/network", "HOSTNAME=\"r6\"\n")], Some("r6")),
            (vec![("/etc/sysconfig/network", "NETWORKING=yes\n")], None),
        ] {
            assert_eq!(hostname(&MemTree::of(&files)).unwrap().as_deref(), name, "{files:?}");
        }
    }
}
