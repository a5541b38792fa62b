"""Writes the documents of test.img for a target into a directory, as the command line prints them.

What is done is "look", or "convert", with its outcome. Prints the stages that were told of, when they began and when they ended.
"""

import json
import sys
from pathlib import Path

import guestconv

how, target, out, *nics = sys.argv[1:]
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
    documents = {
        "targets": written(guestconv.targets()),
        "inspect": description,
        "plan": written(guest.plan(description)),
        "plan-text": guest.plan_text(description),
        "hardware-libvirt": guest.hardware("libvirt", description),
        "hardware-qemu": guest.hardware("qemu", description),
        "verify": written(guest.verify(description)),
    }
    if how == "convert":
        guest.convert(description)
        documents["convert"] = written(guest.last_outcome())
for name, document in documents.items():
    (place / name).write_text(document, encoding="utf-8")
print(*told)
