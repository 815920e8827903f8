"""What ``bridge doctor --fix`` can do, after it has shown it and was told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.doctor.case import Case
from bridge.doctor.findings import Finding
from bridge.doctor.wishes import Difference, changes, differences
from bridge.errors import SendError
from bridge.wording.doctor import what_happened

PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing that can be mended.

    ``apply`` returns a sentence for what was done; it raises ``NotMended``.
    """

    check: str  # the finding it is for
    steps: tuple[str, ...]  # what would change, a line each
    question: str
    apply: Callable[[], str]


class NotMended(Exception):
    """It could not be done; the text says why, and is fit to be shown."""


def remedies(case: Case, findings: list[Finding]) -> Iterator[Remedy]:
    """Yield what can be done about the findings."""
    mendable = {finding.check for finding in findings if finding.is_mendable}
    if "env-file" in mendable:
        files = list(case.exposed)
        yield Remedy(
            "env-file",
            tuple(f"chmod 600 {file}" for file in files),
            "Take the right to read the secrets from others?",
            lambda: _close(files),
        )
    found = case.instance_settings if "settings" in mendable else None
    if found is not None and not isinstance(found, SendError):
        wanted = [d for d in differences(found, case.wishes) if d.wanted is not None]
        yield Remedy(
            "settings",
            tuple(map(str, wanted)),
            "Change these settings of the instance? It restarts, and what is to be "
            "sent waits for up to 5 minutes.",
            lambda: _change(case, wanted),
        )


def _close(files: list[Path]) -> str:
    for file in files:
        try:
            file.chmod(PRIVATE)
        except OSError as err:
            why = err.strerror or type(err).__name__
            raise NotMended(f"{file} could not be changed: {why}.") from None
    names = ", ".join(map(str, files))
    return f"Only the owner can read {names} now."


def _change(case: Case, wanted: list[Difference]) -> str:
    try:
        case.console.set_settings(changes(wanted))
    except SendError as err:
        why = what_happened(err.reason)
        raise NotMended(f"GREEN-API did not take the settings: {why}.") from None
    return (
        f"GREEN-API took {', '.join(each.key for each in wanted)}. The instance "
        "restarts; they hold in up to 5 minutes."
    )
