"""What a check found: pure nouns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Area(StrEnum):
    """Where a check looks; ``--only`` takes these words."""

    SLACK = "slack"
    GREEN_API = "green"
    HERE = "here"

    @property
    def heading(self) -> str:
        """The heading over its findings."""
        return _HEADINGS[self]


_HEADINGS = {Area.SLACK: "Slack", Area.GREEN_API: "GREEN-API", Area.HERE: "Here"}


class State(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"  # it works, and something is lost or soon will be
    PROBLEM = "problem"  # something does not work
    SKIPPED = "skipped"  # not looked at, for the reason given


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the report; all its texts are fit to be shown to anybody.

    ``fact`` says what is so, in one line or several; ``fix`` what to do, ``link``
    where. ``is_mendable``: ``bridge doctor --fix`` can do it.
    """

    check: str  # its name, as ``--only`` takes it: bot-token
    area: Area
    state: State
    fact: str
    fix: str | None = None
    link: str | None = None
    is_mendable: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Makes the findings of one check.

    >>> Row("clock", Area.SLACK).ok("right").state
    <State.OK: 'ok'>
    """

    check: str
    area: Area

    def ok(self, fact: str) -> Finding:
        """All is well."""
        return Finding(self.check, self.area, State.OK, fact)

    def skipped(self, why: str) -> Finding:
        """It was not looked at."""
        return Finding(self.check, self.area, State.SKIPPED, why)

    def warning(
        self,
        fact: str,
        fix: str,
        link: str | None = None,
        *,
        is_mendable: bool = False,
    ) -> Finding:
        """It works, but."""
        state = State.WARNING
        return Finding(self.check, self.area, state, fact, fix, link, is_mendable)

    def problem(
        self,
        fact: str,
        fix: str,
        link: str | None = None,
        *,
        is_mendable: bool = False,
    ) -> Finding:
        """It does not work."""
        state = State.PROBLEM
        return Finding(self.check, self.area, state, fact, fix, link, is_mendable)
