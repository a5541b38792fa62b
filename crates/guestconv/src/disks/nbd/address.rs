//! Where a disk on a server of NBD is: `nbd://HOST[:PORT]/EXPORT` and `nbd+unix:///EXPORT?socket=PATH`, as the protocol's own
//! document (`doc/uri.md` of the NetworkBlockDevice project) has them.

use crate::error::{Error, ErrorKind, Result};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The port that the protocol has of IANA.
const PORT: u16 = 10809;
/// The longest name of an export, as the protocol has it, in bytes.
const EXPORT_CAP_BYTES: usize = 4096;

/// An export of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) server: Server,
    /// The name of the export; empty: the server's default.
    pub(super) export: String,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// By TCP, at that host and port.
    Tcp(String, u16),
    /// At a socket of this host.
    Unix(PathBuf),
}

impl Address {
    /// Returns the export that a disk's path names; `None` if it is the path of a file.
    ///
    /// # Errors
    /// `nbd-tls-unsupported`, `nbd-address-invalid`.
    pub(crate) fn of(path: &Path) -> Result<Option<Self>> {
        let bytes = path.as_os_str().as_bytes();
        let Some(at) = bytes.windows(3).position(|window| window == b"://") else { return Ok(None) };
        let scheme = bytes.get(..at).unwrap_or_default();
        let is_unix = match scheme {
            b"nbd" => false,
            b"nbd+unix" => true,
            b"nbds" | b"nbds+unix" => {
                let message = format!(
                    "{} asks for TLS, which is not spoken here; forward the server over SSH or to a local socket, and \
                     give that as nbd:// or nbd+unix://",
                    path.display()
                );
                return Err(Error::new(ErrorKind::InvalidArgument, "nbd-tls-unsupported", message));
            }
            _ => return Ok(None),
        };
        let rest = path.to_str().and_then(|text| text.get(at + 3..));
        let address = rest.and_then(|rest| if is_unix { unix(rest) } else { tcp(rest) });
        address.map(Some).ok_or_else(|| {
            let message = format!(
                "{} is no address of NBD; write nbd://HOST:PORT/EXPORT or nbd+unix:///EXPORT?socket=PATH",
                path.display()
            );
            Error::new(ErrorKind::InvalidArgument, "nbd-address-invalid", message)
        })
    }
}

fn tcp(rest: &str) -> Option<Address> {
    let (place, export) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let (host, port) = bracketed.split_once(']')?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(PORT), |port| port.parse().ok())?;
    if host.is_empty() || host.contains('@') || export.contains(['?', '#']) {
        return None;
    }
    Some(Address { server: Server::Tcp(host.to_owned(), port), export: self::export(export)? })
}

fn unix(rest: &str) -> Option<Address> {
    let (export, query) = rest.strip_prefix('/')?.split_once('?')?;
    let socket =
        query.strip_prefix("socket=").filter(|socket| !socket.is_empty() && !socket.contains('&'))?;
    let socket = PathBuf::from(OsString::from_vec(decoded(socket)?));
    Some(Address { server: Server::Unix(socket), export: self::export(export)? })
}

fn export(text: &str) -> Option<String> {
    String::from_utf8(decoded(text)?).ok().filter(|export| export.len() <= EXPORT_CAP_BYTES)
}

/// Returns what percent signs stand for (RFC 3986, 2.1).
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut parts = text.split('%');
    decoded.extend(parts.next()?.bytes());
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        let is_hexadecimal = code.bytes().all(|byte| byte.is_ascii_hexdigit());
        decoded.push(u8::from_str_radix(code, 16).ok().filter(|byte| is_hexadecimal && *byte != 0)?);
        decoded.extend(rest.bytes());
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_a_host_or_a_socket() {
        let tcp = |host: &str, port, export: &str| {
            Ok(Some(Address { server: Server::Tcp(host.to_owned(), port), export: export.to_owned() }))
        };
        let unix = |socket: &str, export: &str| {
            Ok(Some(Address { server: Server::Unix(socket.into()), export: export.to_owned() }))
        };
        let (invalid, tls) = (Err("nbd-address-invalid".to_owned()), Err("nbd-tls-unsupported".to_owned()));
        for (path, expected) in [
            ("nbd://host", tcp("host", 10809, "")),
            ("nbd://host/", tcp("host", 10809, "")),
            ("nbd://host:99/a/b%20c", tcp("host", 99, "a/b c")),
            ("nbd://[::1]:99/a", tcp("::1", 99, "a")),
            ("nbd://[::1]/a", tcp("::1", 10809, "a")),
            ("nbd+unix:///a?socket=/run/s%25.sock", unix("/run/s%.sock", "a")),
            ("nbd+unix:///?socket=s", unix("s", "")),
            ("nbd://", invalid.clone()),
            ("nbd://host:x/", invalid.clone()),
            ("nbd://[::1]99/a", invalid.clone()),
            ("nbd://user@host/", invalid.clone()),
            ("nbd://host/a?tls=1", invalid.clone()),
            ("nbd://host/%0", invalid.clone()),
            ("nbd://host/%+1", invalid.clone()),
            ("nbd://host/%00", invalid.clone()),
            ("nbd://host/%ff", invalid.clone()),
            ("nbd+unix:///a", invalid.clone()),
            ("nbd+unix:///a?socket=", invalid.clone()),
            ("nbd+unix:///a?socket=s&x=y", invalid.clone()),
            ("nbd+unix://host/a?socket=s", invalid),
            ("nbds://host/", tls.clone()),
            ("nbds+unix:///?socket=s", tls),
            ("/images/nbd://host", Ok(None)),
            ("https://host/disk.img", Ok(None)),
            ("disk.img", Ok(None)),
        ] {
            let found = Address::of(Path::new(path)).map_err(|error| error.code().to_owned());
            assert_eq!(found, expected, "{path}");
        }
    }
}
