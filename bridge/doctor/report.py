"""How findings are printed: for a person as they come, for a program at the end."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterable, Sequence
from typing import IO, Any

from bridge import __version__
from bridge.doctor.findings import Area, Finding, State

NAME_WIDTH = 14
WIDTH = 98
_MARKS = {
    State.OK: "✓",
    State.WARNING: "!",
    State.PROBLEM: "✗",
    State.SKIPPED: "-",
}
# For a terminal of 8 bits: words, because it may be read aloud.
_WORDS = {
    State.OK: "ok",
    State.WARNING: "warning",
    State.PROBLEM: "PROBLEM",
    State.SKIPPED: "-",
}
_COLOURS = {State.OK: "32", State.WARNING: "33", State.PROBLEM: "31"}
_PLAIN = str.maketrans({"→": ">", "…": "...", "•": "*", "✓": "+", "✗": "x"})


class Report:
    """Writes each finding at once, because a check may take seconds.

    Args:
        out: a terminal, a file or a pipe.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._area: Area | None = None
        self._has_letters = can_encode(out, "✓✗→…•")
        self._mark_width = 1 if self._has_letters else max(map(len, _WORDS.values()))
        is_terminal = out.isatty()
        self._has_colours = is_terminal and not os.environ.get("NO_COLOR")

    def show(self, finding: Finding) -> None:
        """Write one finding, under the heading of its area."""
        if finding.area is not self._area:
            self._area = finding.area
            self.say(finding.area.heading)
        name = finding.check.replace("-", " ")
        beside = " " * (2 + self._mark_width + 1 + NAME_WIDTH + 1)
        lines = _wrapped(f"{finding.fact}\n{_advice(finding)}", WIDTH - len(beside))
        self.say(f"  {self._mark(finding.state)} {name:<{NAME_WIDTH}} {lines[0]}")
        for line in lines[1:]:
            self.say(beside + line)

    def say(self, text: str) -> None:
        """Write one line."""
        shown = text if self._has_letters else text.translate(_PLAIN)
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        self._out.write(f"{shown}\n".encode(encoding, "replace").decode(encoding))
        self._out.flush()

    def _mark(self, state: State) -> str:
        if not self._has_letters:
            return f"{_WORDS[state]:<{self._mark_width}}"
        mark = _MARKS[state]
        if self._has_colours and state in _COLOURS:
            return f"\x1b[{_COLOURS[state]}m{mark}\x1b[0m"
        return mark


def can_encode(out: IO[str], letters: str) -> bool:
    """Whether a stream can show these letters."""
    try:
        letters.encode(getattr(out, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _advice(finding: Finding) -> str:
    if not finding.fix:
        return ""
    link = f" {finding.link}" if finding.link else ""
    return f"Fix: {finding.fix}{link}"


def _wrapped(text: str, room: int) -> list[str]:
    return [
        part
        for line in text.splitlines()
        # A path, an address or a name stays whole, so that it can be copied.
        for part in textwrap.wrap(
            line, room, break_long_words=False, break_on_hyphens=False
        )
    ]


def total(findings: Iterable[Finding]) -> str:
    """Return the last line.

    >>> total([])
    'All is well.'
    """
    states = [finding.state for finding in findings]
    problems = states.count(State.PROBLEM)
    warnings = states.count(State.WARNING)
    parts = [
        f"{count} {noun}{'' if count == 1 else 's'}"
        for count, noun in ((problems, "problem"), (warnings, "warning"))
        if count
    ]
    return f"{', '.join(parts)}." if parts else "All is well."


def as_json(findings: Sequence[Finding], mended: Sequence[str] = ()) -> dict[str, Any]:
    """Return what ``bridge doctor --json`` prints.

    ``{"schema": 1, "version": str, "problems": n, "warnings": n, "mended": [str, …],``
    ``"findings": [{"area": "slack" | "green" | "here", "check": str,``
    ``"state": "ok" | "warning" | "problem" | "skipped", "fact": str,``
    ``"fix": str | null, "link": str | null, "mendable": bool}, …]}``.
    """
    states = [finding.state for finding in findings]
    return {
        "schema": 1,
        "version": __version__,
        "problems": states.count(State.PROBLEM),
        "warnings": states.count(State.WARNING),
        "mended": list(mended),
        "findings": [
            {
                "area": str(finding.area),
                "check": finding.check,
                "state": str(finding.state),
                "fact": finding.fact,
                "fix": finding.fix,
                "link": finding.link,
                "mendable": finding.is_mendable,
            }
            for finding in findings
        ],
    }
