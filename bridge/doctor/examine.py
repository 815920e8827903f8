"""Make the checks that were asked for, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bridge.doctor.case import Case
from bridge.doctor.checks import APP, CHECKS, SOCKET, Check, socket_of_the_running
from bridge.doctor.findings import Area, Finding
from bridge.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Examined:
    """A finding, and whether it is only that a setting was missing for it."""

    finding: Finding
    is_unconfigured: bool = False


def examine(
    case: Case, chosen: Iterable[Check], *, by_name: frozenset[str] = frozenset()
) -> Iterator[Examined]:
    """Yield a finding for each check, as soon as it is made.

    Args:
        case: the installation.
        chosen: the checks to make, in order.
        by_name: those that somebody asked for by name.
    """
    for check in chosen:
        if any(not getattr(case.settings, name) for name in _needs(check, case)):
            why = "not looked at: see configuration"
            yield Examined(check.row.skipped(why), is_unconfigured=True)
        elif check.name == SOCKET and SOCKET not in by_name and case.is_running:
            yield Examined(socket_of_the_running(case))
        else:
            yield Examined(_look(check, case))


def _needs(check: Check, case: Case) -> tuple[str, ...]:
    if check.needs == APP and case.settings.slack_signing_secret:
        return ()  # HTTP mode: the check says so itself
    return check.needs


def _look(check: Check, case: Case) -> Finding:
    try:
        return check.look(case)
    except SettingsError as err:  # of an address or a proxy
        return check.row.problem(" ".join(err.problems), "Correct it in .env.")


def select(words: Iterable[str]) -> list[Check]:
    """Return the checks of these areas and of these names; all for no word.

    Raises:
        ValueError: there is no such area or check; its text is the word.
    """
    wanted = set(words)
    known = {check.name for check in CHECKS} | set(Area)
    for word in sorted(wanted - known):
        raise ValueError(word)
    if not wanted:
        return list(CHECKS)
    return [check for check in CHECKS if {check.name, check.area} & wanted]
