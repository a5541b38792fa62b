"""Undoes the conversion of test.img; prints the names of its undo files, and the stages that were told of."""

from pathlib import Path

import guestconv

told = []


def progress(stage, done, total):
    if (done, total) == (0, 0):
        told.append(stage)
    elif done == total:
        told.append(f"/{stage}")


with guestconv.Guest() as guest:
    guest.set_progress_callback(progress)
    guest.add_drive("test.img", format="raw")
    names = [Path(file).name for file in guest.undo_files()]
    guest.undo()
    assert guest.undo_files() == []
print(*names, *told)
