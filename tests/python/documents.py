"""Writes the documents of test.img for a target into a directory, as the command line prints them.

Prints the stages that were told of, when they began and when they ended.
"""

import json
import sys
from pathlib import Path

import guestconv

target, out, *nics = sys.argv[1:]
told = []


def progress(stage, done, total):
    if (done, total) == (0, 0):
        told.append(stage)
    elif done == total:
        told.append(f"/{stage}")


def written(document):
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


with guestconv.Guest() as guest:
    guest.set_progress_callback(progress)
    guest.add_drive("test.img", format="raw")
    for interface, mac in (nic.split("=") for nic in nics):
        guest.add_nic(mac, interface)
    description = guest.inspect(target)
    place = Path(out)
    (place / "inspect").write_text(description, encoding="utf-8")
    (place / "plan").write_text(written(guest.plan(description)), encoding="utf-8")
    (place / "verify").write_text(written(guest.verify(description)), encoding="utf-8")
print(*told)
