"""What goes wrong is an exception of its kind, and a call that runs can be stopped.

No guest is needed: what is run in place of an appliance waits for ever. `python3 -m unittest discover python/tests`
"""

import os
import signal
import tempfile
import threading
import time
import unittest
from pathlib import Path

import guestconv
from guestconv import errors
from guestconv._library import ffi

# A whole program for Linux on x86-64: the header of an ELF file, one segment, `pause` for ever.
_CODE = bytes.fromhex("b822000000 0f05 ebf7")
_WAITS = (
    bytes.fromhex("7f454c46 02010100 0000000000000000 0200 3e00 01000000 7800400000000000 4000000000000000")
    + bytes.fromhex("0000000000000000 00000000 4000 3800 0100 0000 0000 0000")
    + bytes.fromhex("01000000 05000000 0000000000000000 0000400000000000 0000400000000000")
    + (120 + len(_CODE)).to_bytes(8, "little") * 2
    + bytes.fromhex("0010000000000000")
    + _CODE
)


def _version() -> bytes:
    """Returns what stands in the appliance of this library: in the wheel, or where it is said to be."""
    beside = Path(guestconv.__file__).parent / "libexec" / "guestconv"
    return (Path(os.environ.get("GUESTCONV_APPLIANCE") or beside) / "VERSION").read_bytes()


class WithDisk(unittest.TestCase):
    """Tests where a blank disk is, and an appliance that hangs."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = Path(directory.name)
        self.disk = self.place / "disk"
        self.disk.write_bytes(bytes(1 << 20))
        self.hangs = self.place / "hangs"
        self.hangs.mkdir()
        (self.hangs / "VERSION").write_bytes(_version())
        (self.hangs / "agent").write_bytes(b"")
        (self.hangs / "kernel").write_bytes(_WAITS)
        (self.hangs / "kernel").chmod(0o755)

    def guest(self, seconds: int = 60) -> guestconv.Guest:
        """Returns a guest whose appliance hangs."""
        guest = guestconv.Guest()
        self.addCleanup(guest.close)
        guest.add_drive(self.disk, format="raw")
        guest.set_appliance(self.hangs)
        guest.set_time_limit(seconds)
        return guest

    def raised(self, kind, call, *arguments):
        """Returns the exception of a call, which must be of exactly that class."""
        begun = time.monotonic()
        with self.assertRaises(kind) as raised:
            call(*arguments)
        self.assertIs(type(raised.exception), kind)
        self.assertLess(time.monotonic() - begun, 30, "it did not wait for the appliance's time to pass")
        return raised.exception


class Errors(WithDisk):
    def test_each_has_kind_and_code(self) -> None:
        def without_a_disk(guest):
            guest.add_drive("missing")
            guest.inspect("kvm")

        def without_an_appliance(guest):
            guest.set_appliance(self.place)
            guest.add_drive(self.disk)
            guest.inspect("kvm")

        def said_to_be_qcow2(guest):
            guest.add_drive(os.fspath(self.disk), "sda", format="qcow2")
            guest.inspect("kvm")

        def nothing_to_undo(guest):
            guest.add_drive(self.disk, format="raw")
            self.assertEqual(guest.undo_files(), [])
            guest.undo(force=True)

        def nothing_to_discard(guest):
            guest.add_drive(self.disk, format="raw")
            guest.discard_undo()

        for do, kind, code in [
            (without_a_disk, guestconv.DiskError, "disk-not-found"),
            (said_to_be_qcow2, guestconv.DiskError, "disk-format-mismatch"),
            (without_an_appliance, guestconv.ApplianceError, "appliance-not-found"),
            (lambda guest: guest.add_nic("52:54"), guestconv.InvalidArgumentError, "nic-invalid"),
            (lambda guest: guest.inspect("nowhere"), guestconv.InvalidArgumentError, "target-unknown"),
            (lambda guest: guest.plan(), guestconv.InvalidArgumentError, "target-needed"),
            (lambda guest: guest.plan_text(), guestconv.InvalidArgumentError, "target-needed"),
            (lambda guest: guest.hardware("qemu"), guestconv.InvalidArgumentError, "target-needed"),
            (lambda guest: guest.hardware("xml"), guestconv.InvalidArgumentError, "format-unknown"),
            (lambda guest: guest.convert(), guestconv.InvalidArgumentError, "target-needed"),
            (lambda guest: guest.last_outcome(), guestconv.InvalidArgumentError, "conversion-needed"),
            (lambda guest: guest.add_key("all"), guestconv.InvalidArgumentError, "key-invalid"),
            (lambda guest: guest.set_rebuild("anew"), guestconv.InvalidArgumentError, "rebuild-unknown"),
            (lambda guest: guest.undo(), guestconv.InvalidArgumentError, "disk-count"),
            (nothing_to_undo, guestconv.DiskError, "undo-missing"),
            (nothing_to_discard, guestconv.DiskError, "undo-missing"),
            (lambda guest: guest.verify(), guestconv.InvalidArgumentError, "target-needed"),
            (lambda guest: guest.prove(), guestconv.InvalidArgumentError, "target-needed"),
        ]:
            with self.subTest(code), guestconv.Guest() as guest:
                error = self.raised(kind, do, guest)
                self.assertEqual(error.code, code)
                self.assertNotEqual(str(error), "")

    def test_the_message_is_the_text(self) -> None:
        with guestconv.Guest() as guest:
            guest.add_drive("missing")
            error = self.raised(guestconv.DiskError, guest.inspect, "kvm")
            self.assertEqual(str(error), "there is no disk missing; check its path")

    def test_each_kind_has_a_class(self) -> None:
        kinds = ["appliance", "bug", "cancelled", "changed", "commit", "disk", "guest"]
        kinds += ["invalid-argument", "io", "verify"]
        self.assertEqual(sorted(errors._BY_KIND), kinds)
        for kind in kinds:
            error = errors.of_kind(kind, "a-code", "a message")
            self.assertEqual((error.kind, error.code, str(error)), (kind, "a-code", "a message"))
        self.assertIs(type(errors.of_kind("newer", "a-code", "a message")), guestconv.Error)

    def test_a_time_limit_is_kept(self) -> None:
        error = self.raised(guestconv.ApplianceError, self.guest(seconds=1).inspect, "kvm")
        self.assertEqual(error.code, "appliance-timeout")

    def test_what_cannot_be_said_in_c_is_no_argument(self) -> None:
        with guestconv.Guest() as guest:
            self.raised(ValueError, guest.add_drive, "a\0b")
            self.raised(ValueError, guest.inspect, "kvm\0")
            self.raised(OverflowError, guest.set_time_limit, -1)
            self.raised(TypeError, guest.add_drive, None)

    def test_a_closed_guest_is_not_used(self) -> None:
        guest = self.guest()
        guest.close()
        guest.close()
        guest.cancel()
        self.assertEqual(str(self.raised(ValueError, guest.inspect, "kvm")), "the guest is closed")


class Stopping(WithDisk):
    def assert_cancelled(self, guest: guestconv.Guest) -> None:
        error = self.raised(guestconv.CancelledError, guest.inspect, "kvm")
        self.assertEqual(error.code, "cancelled")

    def test_another_thread_cancels(self) -> None:
        guest = self.guest()
        timer = threading.Timer(0.3, guest.cancel)
        timer.start()
        self.assert_cancelled(guest)
        timer.join()
        self.assert_cancelled(guest)

    def test_a_callback_cancels_and_may_not_ask(self) -> None:
        guest = self.guest()
        told = []

        def progress(stage: str, done: int, total: int) -> None:
            error = self.raised(guestconv.InvalidArgumentError, guest.plan)
            told.append((stage, done, total, error.code))
            guest.cancel()

        guest.set_progress_callback(progress)
        self.assert_cancelled(guest)
        self.assertEqual(told, [("inspect", 0, 0, "handle-in-use")])

    def test_what_a_callback_raises_comes_out(self) -> None:
        guest = self.guest()

        def progress(stage: str, done: int, total: int) -> None:
            raise LookupError(stage)

        guest.set_progress_callback(progress)
        self.assertEqual(self.raised(LookupError, guest.inspect, "kvm").args, ("inspect",))
        guest.set_progress_callback(None)
        self.assert_cancelled(guest)

    def test_an_interrupt_comes_out(self) -> None:
        guest = self.guest()
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        self.raised(KeyboardInterrupt, guest.inspect, "kvm")
        timer.join()
        self.assert_cancelled(guest)

    def test_a_guest_is_closed_while_a_call_runs(self) -> None:
        guest = self.guest(seconds=1)
        guest.set_progress_callback(lambda stage, done, total: guest.close())
        error = self.raised(guestconv.ApplianceError, guest.inspect, "kvm")
        self.assertEqual(error.code, "appliance-timeout")
        self.raised(ValueError, guest.inspect, "kvm")

    def test_guests_are_used_by_threads_at_the_same_time(self) -> None:
        codes = []

        def inspect(guest: guestconv.Guest) -> None:
            try:
                guest.inspect("kvm")
            except guestconv.ApplianceError as error:
                codes.append(error.code)

        begun = time.monotonic()
        disks = [self.place / name for name in ("one", "other", "third")]
        threads = []
        for disk in disks:
            disk.write_bytes(bytes(1 << 20))
            self.disk = disk
            threads.append(threading.Thread(target=inspect, args=(self.guest(seconds=2),)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(codes, ["appliance-timeout"] * 3)
        self.assertLess(time.monotonic() - begun, 5, "they waited for each other")

    def test_the_log_is_told(self) -> None:
        guest, lines = self.guest(), []
        tell = guest._callbacks._tell_log
        tell(ffi.NULL, ffi.new("char[]", "nobody is told".encode()))
        guest.set_log_callback(lines.append)
        tell(ffi.NULL, ffi.new("char[]", "a línea".encode()))
        self.assertEqual(lines, ["a línea"])


if __name__ == "__main__":
    unittest.main()
