"""What a type checker must say of the package: nothing, and where a line is wrong, the error that is named there."""

from pathlib import Path
from typing import Any

import guestconv


def told(stage: str, done: int, total: int) -> None:
    print(stage, done + total)


def converted(guest: guestconv.Guest) -> str:
    guest.add_drive(Path("test.img"), "sda", format="raw")
    guest.set_progress_callback(told)
    guest.set_log_callback(print)
    guest.set_log_callback(None)
    guest.set_rebuild("guest")
    guest.add_key("all:key:passphrase")
    guest.set_keep_undo(True)
    guest.set_require_confinement(False)
    guest.set_hash_disks(False)
    recovery: dict[str, Any] = guest.recover()
    description: str = guest.inspect("kvm")
    plan: dict[str, Any] = guest.plan(description)
    page: str = guest.plan_text(description) + guest.hardware("libvirt", description) + guest.hardware("json")
    guest.convert()
    record: dict[str, Any] = guest.last_record()
    guest.convert_plan("{}")
    undo_files: list[str] = guest.undo_files()
    guest.undo()
    guest.undo(force=bool(undo_files))
    guest.discard_undo()
    outcome: dict[str, Any] = guest.last_outcome()
    names: list[str] = [target["id"] for target in guestconv.targets()]
    return f"{plan['steps']} {page} {outcome['steps']} {names} {record} {recovery}"


def wrong(guest: guestconv.Guest) -> str:
    guest.add_drive(3)  # type: ignore[arg-type]
    guest.inspect()  # type: ignore[call-arg]
    guest.hardware(None)  # type: ignore[arg-type]
    guest.set_log_callback(told)  # type: ignore[arg-type]
    guest.undo(True)  # type: ignore[call-arg]
    guest.set_rebuild(True)  # type: ignore[arg-type]
    guest.conver("")  # type: ignore[attr-defined]
    return guest.plan()  # type: ignore[return-value]


def caught() -> str:
    try:
        with guestconv.Guest() as guest:
            return converted(guest)
    except guestconv.DiskError as error:
        return error.kind + error.code
