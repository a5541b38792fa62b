"""The C library by cffi, without a compiler: its own header declares it, and it is opened as it is.

A wheel has header and library beside this file; a library that the system has is found by its soname.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional, Union

import cffi

SONAME = "libguestconv.so.0"
_HERE = Path(__file__).resolve().parent


def _declarations(header: str) -> str:
    """Returns what the header declares for C, without the preprocessor's lines, which cffi does not know."""
    kept: List[str] = []
    is_for_cpp = False
    for line in header.splitlines():
        if line.startswith("#"):
            is_for_cpp = line == "#ifdef __cplusplus"
        elif not is_for_cpp:
            kept.append(line)
    return "\n".join(kept)


def _opened() -> Any:
    beside = _HERE / "lib" / SONAME
    try:
        return ffi.dlopen(str(beside) if beside.exists() else SONAME)
    except OSError as error:
        raise ImportError(f"{error}; install the wheel of guestconv, or {SONAME} where the system finds it") from error


ffi = cffi.FFI()
ffi.cdef(_declarations((_HERE / "guestconv.h").read_text(encoding="utf-8")))
lib = _opened()


def argument(text: Union[str, bytes, None]) -> Any:
    """Returns a text or a path for C; NULL for `None`.

    Raises ValueError if there is a NUL in it, at which C would end it.
    """
    if text is None:
        return ffi.NULL
    encoded = text.encode("utf-8") if isinstance(text, str) else text
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    return ffi.new("char[]", encoded)


def string(pointer: Any) -> str:
    """Returns a text of the library."""
    text: Any = ffi.string(pointer)
    return str(text, "utf-8")


def owned(pointer: Any) -> Optional[str]:
    """Returns a text that the library gave up, and frees it; `None` for NULL."""
    if pointer == ffi.NULL:
        return None
    try:
        return string(pointer)
    finally:
        lib.guestconv_free(pointer)
