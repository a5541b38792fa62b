"""guestconv makes a guest boot on another hypervisor.

    import guestconv

    with guestconv.Guest() as guest:
        guest.add_drive("test.img", "sda")
        description = guest.inspect("rhev-3.1")
        guest.convert(description)

`Guest` is what there is, `targets` where it can go; what goes wrong is an `Error`, whose subclass says what sort of error it is and whose `code`
is stable. The library does not print, and changes a disk only when the result has been checked.
"""

from ._callbacks import LogCallback, ProgressCallback
from ._guest import Document, Guest, StrPath, targets
from ._library import lib as _lib
from ._library import string as _string
from .errors import (
    ApplianceError,
    BugError,
    CancelledError,
    ChangedError,
    CommitError,
    DiskError,
    Error,
    GuestError,
    InvalidArgumentError,
    IoError,
    VerifyError,
)

__version__: str = _string(_lib.guestconv_version())
"""The version of the library."""

__all__ = [
    "ApplianceError",
    "BugError",
    "CancelledError",
    "ChangedError",
    "CommitError",
    "DiskError",
    "Document",
    "Error",
    "Guest",
    "GuestError",
    "InvalidArgumentError",
    "IoError",
    "LogCallback",
    "ProgressCallback",
    "StrPath",
    "VerifyError",
    "targets",
]
