"""What goes wrong: an exception per kind of error, each with the stable code that docs/errors.md lists."""

from __future__ import annotations


class Error(Exception):
    """Something that guestconv could not do; nothing is half done.

    Its text is a message for people: what failed, where, what to do. Texts may change; `code` and `kind` do not.
    """

    kind = "error"
    """What sort of error it is: the name of the class in documents and in C."""

    code: str
    """The stable code, such as `disk-not-found`."""

    message: str
    """The text."""

    def __init__(self, code: str, message: str) -> None:
        """Makes an error of that code."""
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidArgumentError(Error):
    """What the caller asked for makes no sense: a wrong document, an option, a target that is not known."""

    kind = "invalid-argument"


class DiskError(Error):
    """A disk cannot be opened: not there, no permission, in use, of a format that cannot be read, damaged."""

    kind = "disk"


class GuestError(Error):
    """Something in the guest stops us: no system, no way to boot on the target, a file that cannot be read."""

    kind = "guest"


class ChangedError(Error):
    """The guest is not what the plan expects."""

    kind = "changed"


class ApplianceError(Error):
    """There is no appliance that can run here, or it died, hung or answered nonsense."""

    kind = "appliance"


class IoError(Error):
    """The host could not read or write."""

    kind = "io"


class VerifyError(Error):
    """The guest was changed and a second look does not agree; nothing was committed."""

    kind = "verify"


class CommitError(Error):
    """The commit was interrupted: the next guest that opens the same disks finishes it."""

    kind = "commit"


class CancelledError(Error):
    """The caller cancelled."""

    kind = "cancelled"


class BugError(Error):
    """A fault of guestconv; report it."""

    kind = "bug"


_BY_KIND = {error.kind: error for error in Error.__subclasses__()}


def of_kind(kind: str, code: str, message: str) -> Error:
    """Returns the exception for an error of the library; `Error` itself if the kind is newer than this package."""
    return _BY_KIND.get(kind, Error)(code, message)
