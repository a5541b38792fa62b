"""Converts test.img for rhev-3.1 with the defaults; the wheel of guestconv is installed by pip."""

import sys

import guestconv

try:
    with guestconv.Guest() as guest:
        guest.add_drive("test.img", "sda")
        description = guest.inspect("rhev-3.1")
        guest.convert(description)
except guestconv.Error as error:
    sys.exit(str(error))
print("Success")
