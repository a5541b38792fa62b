"""Waiting for a call of C so that Python stays awake: Ctrl-C and other signals are served while it runs."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Callable, Optional, TypeVar

Returned = TypeVar("Returned")


def called(call: Callable[[], Returned], stop: Callable[[], None]) -> Returned:
    """Returns what the call returns.

    Python serves signals in the main thread alone, and not while that runs C. So there the call runs in a thread of its
    own. What a signal raises is raised when the call has ended, which `stop` hastens.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    outcome: Future[Returned] = Future()
    ended = threading.Event()
    outcome.add_done_callback(lambda _: ended.set())

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, name="guestconv", daemon=True).start()
    raised: Optional[BaseException] = None
    while not ended.is_set():
        try:
            if raised is not None:
                stop()
            ended.wait()
        except BaseException as error:  # Nothing may leave before the call has ended.
            raised = raised or error
    if raised is not None:
        raise raised
    return outcome.result()
