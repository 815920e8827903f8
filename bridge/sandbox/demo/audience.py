"""Who watches the demo: a person at a terminal, who gets a page, or nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Audience:
    """Somebody who stays after the tour, to play on the page.

    Attributes:
        open_page: Shows them an address; None when they open it themselves.
        why_not: Why no browser is opened: “No browser is opened …”.
    """

    open_page: Callable[[str], None] | None = None
    why_not: str | None = None


def whoever_watches(*, no_browser: bool) -> Audience | None:
    """Return who is there; None without a terminal, or where ``CI`` is set.

    Args:
        no_browser: They don't want one to be opened.
    """
    if not sys.stdout.isatty() or os.environ.get("CI"):
        return None
    if no_browser:
        return Audience()
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    reason = why_not(os.environ, sys.platform, is_root=is_root)
    return Audience(why_not=reason) if reason else Audience(open_page)


def why_not(
    environment: Mapping[str, str], platform: str, *, is_root: bool
) -> str | None:
    """Return why no browser can be opened here; None when one can.

    >>> why_not({"DISPLAY": ":0"}, "linux", is_root=False)
    >>> why_not({"DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"}, "linux", is_root=False)
    'over SSH'
    >>> why_not({}, "linux", is_root=False)
    'without a display'
    >>> why_not({}, "darwin", is_root=False)
    """
    if any(environment.get(name) for name in ("SSH_CONNECTION", "SSH_TTY")):
        return "over SSH"
    if is_root:
        return "as root"  # browsers refuse that, or run without their sandbox
    has_display = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    if platform.startswith("linux") and not has_display:
        return "without a display"
    return None


def open_page(url: str) -> None:
    """Open an address in the user's browser, in the background.

    What a browser says on its way up belongs on no terminal.
    """
    opening = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "webbrowser", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=opening.wait, name="browser", daemon=True).start()
