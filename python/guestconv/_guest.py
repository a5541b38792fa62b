"""A guest: its disks, what it can have on a target, and its conversion."""

from __future__ import annotations

import json
import os
import threading
from types import TracebackType
from typing import Any, Dict, List, Optional, Tuple, Type, Union

from . import errors
from ._callbacks import Callbacks, LogCallback, ProgressCallback
from ._library import argument, ffi, lib, owned, string
from ._waiting import called

StrPath = Union[str, "os.PathLike[str]"]
"""A path of the host."""

Document = Dict[str, Any]
"""A document that is JSON elsewhere; docs/schemas says what is in it."""


class Guest:
    """A guest that is looked at, converted, checked and booted.

    First come drives, cards and options; then `inspect`, for a target; then the calls that take `xml`: the document that
    `inspect` returned, edited or not. `None` accepts all defaults. What undoes a conversion needs no target.

        with guestconv.Guest() as guest:
            guest.add_drive("test.img")
            guest.convert(guest.inspect("rhev-3.1"))

    A call that fails raises the subclass of `guestconv.Error` that says what sort of error it is. One thread at a time
    uses a guest; only `cancel` and `close` may be called while another call runs, as by another thread or a callback.
    Callbacks run while the call waits, maybe in another thread. An exception of a callback, and Ctrl-C, cancels the call
    and comes out of it.
    """

    def __init__(self) -> None:
        """Makes a guest without disks."""
        self._handle: Any = ffi.gc(lib.guestconv_create(), lib.guestconv_close)
        self._callbacks = Callbacks(self._handle)
        # Held while a call runs.
        self._in_use = threading.Lock()
        # Held by who needs the handle to live, and is no call. A signal handler may come between.
        self._living = threading.RLock()
        self._is_closed = self._is_released = False

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the guest up, when the call that runs on it has ended; it cannot be used afterwards."""
        self._is_closed = True
        self._release_if_closed()

    def add_drive(self, path: StrPath, name: Optional[str] = None, *, format: Optional[str] = None) -> None:
        """Adds a disk of the guest, in the guest's order.

        `name` is its short name in the documents, `None`: sda, sdb ... by order. `format` is "raw", "qcow2",
        "vmdk", "vhd", "vhdx", "vdi" or "auto"; `None` is "auto", by the bytes: say it if you do not trust the guest. All but raw
        and qcow2 are only read, and so is a disk on a server of NBD, whose path is its address: nbd://HOST/EXPORT.
        """
        self._done(lib.guestconv_add_drive_format, os.fsencode(path), name, format)

    def add_nic(self, mac: str, name: Optional[str] = None) -> None:
        """Adds a network card that the target will give, in the source's order.

        `name` is the interface that it becomes in the guest, `None`: by order.
        """
        self._done(lib.guestconv_add_nic, name, mac)

    def set_allow_backing(self, allowed: bool) -> None:
        """Allows images to name other files, which are then opened (at first: no): only for images that you trust."""
        self._done(lib.guestconv_set_allow_backing, int(allowed))

    def set_appliance(self, directory: Optional[StrPath]) -> None:
        """Says where the appliance is.

        `None`, as at first: where the environment variable GUESTCONV_APPLIANCE says, or in the wheel.
        """
        self._done(lib.guestconv_set_appliance, _path(directory))

    def set_overlay_dir(self, directory: Optional[StrPath]) -> None:
        """Says where overlays are while a conversion runs; `None`, as at first: beside each disk."""
        self._done(lib.guestconv_set_overlay_dir, _path(directory))

    def set_grub_dir(self, directory: Optional[StrPath]) -> None:
        """Says where the GRUB 2 is that a disk without boot loader is given: what has its i386-pc and x86_64-efi.

        `None`, as at first: where the packages of this host put them.
        """
        self._done(lib.guestconv_set_grub_dir, _path(directory))

    def add_key(self, key: str) -> None:
        """Gives a key for encrypted devices, before the first look at the guest.

        "SELECTOR:key:PASSPHRASE" or "SELECTOR:file:FILE"; the selector is a device as the documents name it ("/dev/sda2",
        "/dev/VG/LV"), its UUID, or "all".
        """
        self._done(lib.guestconv_add_key, key)

    def set_rebuild(self, how: Optional[str]) -> None:
        """Says how initramfs images get drivers that they lack.

        "append": a segment is appended, and nothing of the guest is run. "guest": its own tool is run, inside the
        appliance. `None`, as at first: "append".
        """
        self._done(lib.guestconv_set_rebuild, how)

    def set_keep_undo(self, kept: bool) -> None:
        """Says whether `convert` keeps the originals of what it changes (at first: yes), so that it can be undone.

        They are in an undo file beside each disk that changes, or in the overlay directory for a block device.
        """
        self._done(lib.guestconv_set_keep_undo, int(kept))

    def set_hash_disks(self, hashed: bool) -> None:
        """Says whether the record of a conversion has the hashes of whole disks, before and after (at first: no).

        It takes as long as reading them twice.
        """
        self._done(lib.guestconv_set_hash_disks, int(hashed))

    def set_time_limit(self, seconds: Optional[int]) -> None:
        """Says how many seconds one run of the appliance may take; `None`, as at first: 300."""
        self._done(lib.guestconv_set_time_limit, seconds or 0)

    def set_require_confinement(self, required: bool) -> None:
        """Says whether what meets the guest must be confined completely (at first: no).

        Else it is confined as far as this host can, and a finding tells what it cannot. Where it is required and cannot be,
        opening the guest fails before anything is run.
        """
        self._done(lib.guestconv_set_require_confinement, int(required))

    def set_progress_callback(self, callback: Optional[ProgressCallback]) -> None:
        """Says who is told of progress, at any time; `None`: nobody.

        The callback is given the stage ("recover", "inspect", "apply", "verify", "commit", "undo" or "prove"), how much
        of it is done, and how much there is in all, in the stage's own unit: 0 as long as it is not known. Done is 0 when the
        stage begins and all when it has ended well.
        """
        self._callbacks.progress = callback

    def set_log_callback(self, callback: Optional[LogCallback]) -> None:
        """Says who is given the lines of the log, at any time; `None`: nobody."""
        self._callbacks.log = callback

    def inspect(self, target: str) -> str:
        """Returns the description of the guest for a target, as XML.

        It has the guest's systems, and its devices with the drivers on offer. The first call looks at the disks, later
        ones, also for other targets, remember. The calls below are for the target of the last that did not fail.
        """
        return self._text(lib.guestconv_inspect, target)

    def plan(self, xml: Optional[str] = None) -> Document:
        """Returns what `convert` would do: "steps" is empty if nothing."""
        return self._document(lib.guestconv_plan, xml)

    def plan_text(self, xml: Optional[str] = None) -> str:
        """Returns the same for people: each change with its reason, texts as diffs, the hardware, and what to know."""
        return self._text(lib.guestconv_plan_text, xml)

    def hardware(self, format: str, xml: Optional[str] = None) -> str:
        """Returns what the target must give the guest when it is converted.

        `format` is "libvirt", a domain for virsh define; "qemu", a command for a shell; or "json". The first two have the
        guest's disks in it, two processors and 2 GiB.
        """
        return self._text(lib.guestconv_hardware, xml, format)

    def convert(self, xml: Optional[str] = None) -> None:
        """Converts the guest in place.

        If it fails, the disks are as they were, but for a `CommitError`: then the next guest that opens the same disks
        finishes it. A disk that keeps the undo file of an earlier conversion is refused with a `DiskError`: undo that, or
        discard its undo file.
        """
        self._done(lib.guestconv_convert, xml)

    def convert_plan(self, plan: str) -> None:
        """Converts the guest as a plan says that was kept: what guestconv plan --json wrote.

        It has the target, the drivers and the cards with which it was made; those of this guest do not count. A guest that
        needs anything else than the plan, as one that was changed since, is refused with a `ChangedError`.
        """
        self._done(lib.guestconv_convert_plan, plan)

    def last_record(self) -> Document:
        """Returns the record of the last conversion, to be kept and signed.

        It has versions, the plan's hash, the disks, and the hashes of every file that was changed, before and after. It is
        an error if that failed, or none was called.
        """
        return self._document(lib.guestconv_last_record)

    def recover(self) -> Document:
        """Opens the drives and returns what that repaired; every first call does so. No target is needed.

        "finished" is "conversion" or "undo" if one that was killed was finished, or None; "removed" are files that one left
        which had changed no disk.
        """
        return self._document(lib.guestconv_recover)

    def last_outcome(self) -> Document:
        """Returns what the last `convert` did: the steps of its plan, and the files that each wrote.

        It is an error if that failed, or none was called.
        """
        return self._document(lib.guestconv_last_outcome)

    def undo(self, *, force: bool = False) -> None:
        """Puts back what the last conversion of the drives changed, by whichever guest or program it was done.

        The disks are then bit for bit what they were, sizes included, and the undo files are gone. No target is needed;
        drives and overlay directory are those of the conversion. `cancel` does not stop it.

        It raises a `DiskError` if there is no undo file, an `InvalidArgumentError` if the conversion changed a disk that is
        not among the drives, and a `ChangedError` if a disk was written since, as by a guest that ran on it: nothing was
        changed then. `force` puts the originals back even so, which leaves a mixture that no guest wrote, unless only the
        time or place of a disk has changed. After a `CommitError` the next guest that opens the same disks finishes it.
        """
        self._done(lib.guestconv_undo, int(force))

    def discard_undo(self) -> None:
        """Removes the undo files of the drives: there is no way back then. It is an error if there are none."""
        self._done(lib.guestconv_discard_undo)

    def undo_files(self) -> List[str]:
        """Returns the paths of the undo files of the drives; none if there are none. No target is needed."""
        files: List[str] = json.loads(self._text(lib.guestconv_undo_files))
        return files

    def verify(self, xml: Optional[str] = None) -> Document:
        """Returns what a conversion would still do, by a fresh look at the disks: "missing" is empty if nothing."""
        return self._document(lib.guestconv_verify, xml)

    def prove(
        self, xml: Optional[str] = None, *, seconds: Optional[int] = None, evidence: Optional[StrPath] = None
    ) -> Document:
        """Boots the guest under QEMU, on a throw-away overlay, with the hardware of its plan; returns what it did.

        A guest that does not come up is no error, but "passed" is false. `seconds` is the time that it may take, `None`:
        300. Serial log and screenshot are left in the directory `evidence`, `None`: nowhere.
        """
        return self._document(lib.guestconv_prove, xml, seconds or 0, _path(evidence))

    def cancel(self) -> None:
        """Stops the call that runs on the guest, from a callback, another thread or a signal handler.

        It raises `CancelledError` within a tenth of a second and leaves the disks as they were, but for a commit that has
        begun, which is finished. So do all later calls that look at the guest.
        """
        with self._living:
            if not self._is_released:
                lib.guestconv_cancel(self._handle)

    def _done(self, function: Any, *arguments: Union[str, bytes, int, None]) -> None:
        self._call(function, *arguments)

    def _text(self, function: Any, *arguments: Union[str, bytes, int, None]) -> str:
        return str(self._call(function, *arguments))

    def _document(self, function: Any, *arguments: Union[str, bytes, int, None]) -> Document:
        document: Document = json.loads(self._text(function, *arguments))
        return document

    def _call(self, function: Any, *arguments: Union[str, bytes, int, None]) -> Union[str, int, None]:
        """Returns what a function of C returned; raises what went wrong."""
        for_c = [given if isinstance(given, int) else argument(given) for given in arguments]
        # The library says so too, but its last error would then change under the call that runs.
        if not self._in_use.acquire(blocking=False):
            message = "another call runs on the guest; a callback and another thread may only cancel or close it"
            raise errors.InvalidArgumentError("handle-in-use", message)
        try:
            if self._is_closed:
                raise ValueError("the guest is closed")
            self._callbacks.failure()
            returned, error = called(lambda: self._called(function, for_c), self.cancel)
        finally:
            self._in_use.release()
            self._release_if_closed()
        failure = self._callbacks.failure()
        if failure is not None:
            raise failure
        if error is not None:
            raise error
        return returned

    def _called(self, function: Any, for_c: List[Any]) -> Tuple[Union[str, int, None], Optional[errors.Error]]:
        returned = function(self._handle, *for_c)
        return returned if isinstance(returned, int) else owned(returned), _last_error(self._handle)

    def _release_if_closed(self) -> None:
        """Closes the handle, unless a call runs, which then does it when it ends."""
        if self._is_closed and self._in_use.acquire(blocking=False):
            try:
                with self._living:
                    self._is_released = True
                    ffi.release(self._handle)
            finally:
                self._in_use.release()


def targets() -> List[Document]:
    """Returns the targets that are known, with all that is known of each."""
    with Guest() as guest:
        known: List[Document] = json.loads(guest._text(lib.guestconv_targets))
        return known


def _path(path: Optional[StrPath]) -> Optional[bytes]:
    return None if path is None else os.fsencode(path)


def _last_error(handle: Any) -> Optional[errors.Error]:
    code = lib.guestconv_last_error_code(handle)
    if code == ffi.NULL:
        return None
    kind, message = lib.guestconv_last_error_kind(handle), lib.guestconv_last_error(handle)
    return errors.of_kind(string(kind), string(code), string(message))
