"""Functions of the caller that are told what happens while a call runs."""

from __future__ import annotations

from typing import Any, Callable, Optional

from ._library import ffi, lib, string

ProgressCallback = Callable[[str, int, int], object]
"""Is told how far a stage is: its name, how much is done, how much there is in all (0: not known yet)."""

LogCallback = Callable[[str], object]
"""Is given a line for the log."""


class Callbacks:
    """Who is told, and what went wrong there; both functions of C are set for as long as the handle lives."""

    def __init__(self, handle: Any) -> None:
        self.progress: Optional[ProgressCallback] = None
        self.log: Optional[LogCallback] = None
        self._failure: Optional[BaseException] = None
        # Not an owner, and used only while a call runs on the handle.
        self._handle = ffi.cast("guestconv_h *", handle)
        # The functions of C live as long as this.
        self._tell_progress = self._function("guestconv_progress_callback", self._progressed)
        self._tell_log = self._function("guestconv_log_callback", self._logged)
        lib.guestconv_set_progress_callback(handle, self._tell_progress, ffi.NULL)
        lib.guestconv_set_log_callback(handle, self._tell_log, ffi.NULL)

    def failure(self) -> Optional[BaseException]:
        """Returns what a function of the caller raised during the last call, once."""
        failure, self._failure = self._failure, None
        return failure

    def _function(self, kind: str, function: Callable[..., None]) -> Any:
        return ffi.callback(kind, function, onerror=self._failed)

    def _progressed(self, _: Any, stage: Any, done: int, total: int) -> None:
        # One that raised is not called again while the work stops.
        if self.progress is not None and self._failure is None:
            self.progress(string(stage), done, total)

    def _logged(self, _: Any, line: Any) -> None:
        if self.log is not None and self._failure is None:
            self.log(string(line))

    def _failed(self, _: Any, failure: Any, traceback: Any) -> None:
        self._failure = self._failure or failure
        lib.guestconv_cancel(self._handle)
