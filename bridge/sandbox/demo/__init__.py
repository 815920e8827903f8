"""``bridge demo``: the real bridge between the emulated Slack and GREEN-API.

::

    a free port ─▶ the sandbox and its page ─▶ `bridge run`, a child ─▶ the tour
        ─▶ exit code; or, on a terminal, the page until Ctrl-C
"""

from bridge.sandbox.demo.audience import Audience, whoever_watches
from bridge.sandbox.demo.main import play

__all__ = ["Audience", "play", "whoever_watches"]
