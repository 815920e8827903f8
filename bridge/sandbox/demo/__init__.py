"""``bridge demo``: the real bridge between the emulated Slack and GREEN-API.

::

    a free port ─▶ the sandbox ─▶ `bridge run`, a child ─▶ the tour ─▶ exit code
"""

from bridge.sandbox.demo.main import play

__all__ = ["play"]
