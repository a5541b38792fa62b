//! The one error of the library: a kind to branch on, a stable code, a message for people, and its cause.
//!
//! The message says what failed, where, and what to do. Exit codes belong to the command line, error numbers to C.

use std::borrow::Cow;
use std::fmt;

/// A result of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be done. Nothing is half done: a failed conversion leaves the disks as they were, unless
/// the kind is [`ErrorKind::Commit`]; then the next open finishes the commit.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: Cow<'static, str>,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What sort of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller asked for something that makes no sense: a wrong document, an option, a target that is not known.
    InvalidArgument,
    /// A disk cannot be opened: not there, no permission, in use, of a format that cannot be read, damaged.
    Disk,
    /// Something in the guest stops us: no system, no way to boot on the target, a file system that cannot be read.
    Guest,
    /// The guest is not what the plan expects.
    Changed,
    /// There is no appliance that can run here, or it died, hung or answered nonsense.
    Appliance,
    /// The host could not read or write.
    Io,
    /// The guest was changed and a second look does not agree; nothing was committed.
    Verify,
    /// The commit was interrupted: the next open of the same disks finishes it, if anything is left to do.
    Commit,
    /// The caller cancelled.
    Cancelled,
    /// A fault of this library.
    Bug,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::InvalidArgument,
        Self::Disk,
        Self::Guest,
        Self::Changed,
        Self::Appliance,
        Self::Io,
        Self::Verify,
        Self::Commit,
        Self::Cancelled,
        Self::Bug,
    ];

    /// Returns its name in documents, kebab-case.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid-argument",
            Self::Disk => "disk",
            Self::Guest => "guest",
            Self::Changed => "changed",
            Self::Appliance => "appliance",
            Self::Io => "io",
            Self::Verify => "verify",
            Self::Commit => "commit",
            Self::Cancelled => "cancelled",
            Self::Bug => "bug",
        }
    }
}

impl Error {
    /// Returns an error; `code` is kebab-case and never changes its meaning, `message` is lower case without a full stop.
    pub fn new(kind: ErrorKind, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, code: code.into(), message: message.into(), source: None }))
    }

    /// Returns the same error with its cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns an error of the host's input and output: what was done, with which file, and what the system said.
    pub(crate) fn io(code: &'static str, doing: impl fmt::Display, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, code, format!("cannot {doing}: {source}")).caused_by(source)
    }

    /// Returns what sort of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the stable code, kebab-case: `appliance-not-found`. All codes are listed in `docs/errors.md`.
    pub fn code(&self) -> &str {
        &self.0.code
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.0.kind, self.0.code, self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<guestconv_core::plan::PlanError> for Error {
    fn from(error: guestconv_core::plan::PlanError) -> Self {
        let is_wish = matches!(
            error.code.as_str(),
            "device-unknown"
                | "driver-not-offered"
                | "nic-invalid"
                | "nic-twice"
                | "nics-too-many"
                | "domain-not-xml"
                | "domain-without-mac"
                | "device-not-in-libvirt"
                | "path-not-in-xml"
                | "disk-count"
                | "plan-invalid"
        );
        let kind = match error.code.as_str() {
            _ if is_wish => ErrorKind::InvalidArgument,
            "firmware-missing" => ErrorKind::Io,
            "plan-outdated" => ErrorKind::Changed,
            _ => ErrorKind::Guest,
        };
        Self::new(kind, error.code, error.message)
    }
}

impl From<guestconv_core::description::refusal::Refusal> for Error {
    fn from(refusal: guestconv_core::description::refusal::Refusal) -> Self {
        let message = refusal.to_string();
        Self::new(ErrorKind::InvalidArgument, refusal.code, message)
    }
}

impl From<crate::prove::ProveError> for Error {
    fn from(error: crate::prove::ProveError) -> Self {
        use crate::prove::ProveError;
        let kind = match &error {
            ProveError::Disk { .. } => ErrorKind::Disk,
            ProveError::DiskCount { .. }
            | ProveError::UnknownDevice { .. }
            | ProveError::UnknownMachine { .. } => ErrorKind::InvalidArgument,
            ProveError::Cancelled => ErrorKind::Cancelled,
            _ => ErrorKind::Io,
        };
        Self::new(kind, error.code(), error.to_string()).caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn an_error_keeps_kind_code_message_and_cause() {
        let error = Error::io("disk-read-failed", "read /a", std::io::Error::other("it is broken"));
        let cause = error.source().map(ToString::to_string);
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(format!("{error:?}"), "Io disk-read-failed: cannot read /a: it is broken");
        assert_eq!(cause.as_deref(), Some("it is broken"));
    }
}
