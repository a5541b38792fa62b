"""Packs a wheel: python3 pack.py STAGE WHEEL. The same files make the same bytes.

STAGE is what pip is to unpack; RECORD, the list of all files with their hashes, is made here and comes last.
"""

import base64
import hashlib
import os
import stat
import sys
import zipfile
from pathlib import Path

stage, wheel = Path(sys.argv[1]), Path(sys.argv[2])
new = wheel.with_suffix(".new")


def add(archive, name, content, mode):
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = (stat.S_IFREG | mode) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


# What describes the package stands at the end, as the specification of wheels recommends.
names = (path.relative_to(stage) for path in stage.rglob("*") if path.is_file())
files = sorted((name.parts[0].endswith(".dist-info"), name.as_posix()) for name in names)
record = []
with zipfile.ZipFile(new, "w") as archive:
    for _, name in files:
        path = stage / name
        content = path.read_bytes()
        add(archive, name, content, 0o755 if os.access(path, os.X_OK) else 0o644)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(content)}\n")
    (about,) = {name.split("/")[0] for is_about, name in files if is_about}
    add(archive, f"{about}/RECORD", "".join(record) + f"{about}/RECORD,,\n", 0o644)
os.replace(new, wheel)
