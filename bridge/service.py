"""``bridge run``: start, serve, stop cleanly."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from types import FrameType

from bridge.errors import SettingsError
from bridge.parts import keep_off_proxies, make_slack_client, open_outbox
from bridge.settings import Settings
from bridge.slack.check import refusals
from bridge.wiring import Bridge

log = logging.getLogger(__name__)

FAILED = 1
CONFIGURATION = 78
SIGNAL_SECONDS = 0.5


def serve(settings: Settings) -> int:
    """Run until SIGTERM or Ctrl-C; return the exit code.

    Raises:
        StoreError: the database can't be used.
    """
    stopping = threading.Event()
    _on_signals(stopping)
    keep_off_proxies(settings.slack_api_url)
    store = open_outbox(settings)
    try:
        if not store.database.claim_sole_use():
            # Not a matter of configuration: a supervisor may try again.
            return _refuse([_another(store.database.sole_user())], FAILED)
        if problems := _refusals(settings):
            return _refuse(problems)
        return _run(Bridge(settings, store), stopping)
    except SettingsError as err:
        return _refuse(err.problems)
    finally:
        store.database.close()


def _refusals(settings: Settings) -> list[str]:
    client = make_slack_client(settings)
    return refusals(client, signs_requests=not settings.uses_socket_mode)


def _run(bridge: Bridge, stopping: threading.Event) -> int:
    bridge.start()
    log.info("the bridge runs")
    # A signal that another thread receives does not end an untimed wait of this one.
    while not stopping.wait(SIGNAL_SECONDS):
        pass
    log.info("stopping: requests under way are waited for")
    if not bridge.stop():
        log.error("a request outlasted the stop; its message will be unknown")
    log.info("stopped")
    return 0


def _on_signals(stopping: threading.Event) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():  # asked twice: end now, what is under way is unknown
            os._exit(1)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _another(who: str) -> str:
    return (
        f"Another copy runs on this database ({who}). End it first, or give this one a "
        "database of its own."
    )


def _refuse(problems: list[str], code: int = CONFIGURATION) -> int:
    print("The bridge can't start:", file=sys.stderr)  # noqa: T201 - for a person
    for problem in problems:
        print(f"  - {problem}", file=sys.stderr)  # noqa: T201 - for a person
    return code
