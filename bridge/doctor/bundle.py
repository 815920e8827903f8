"""``bridge doctor --bundle``: what an issue report needs, and nothing that it must not.

Only names, counts and the findings' own words; the result goes through the masks of
the log once more, because it is meant to be published.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bridge import __version__
from bridge import settings as module
from bridge.doctor.case import Case
from bridge.doctor.findings import Finding, State
from bridge.doctor.here import proxy_names
from bridge.doctor.packages import name_of, requirements, version_of
from bridge.logs import Cleaner
from bridge.parts import utc_now
from bridge.printout import figures
from bridge.settings_table import TABLE

# Values that say nothing about anybody. Of all others only whether they are set.
_TELLING = frozenset(
    {
        "GREEN_API_ADDRESS_BY",
        "GREEN_API_RECEIVE",
        "PORT",
        *(s.name for s in TABLE if s.name.startswith(("BRIDGE_MAX_", "BRIDGE_LOG_"))),
        "BRIDGE_TTL",
        "BRIDGE_SENDERS",
        "BRIDGE_PACE",
        "BRIDGE_TIME_SCALE",
    }
)
_NUMBER = re.compile(r"\+[0-9]+ ••••• [0-9]+|(?<![0-9.])\+?[0-9]{7,}(@[cg]\.us)?")


def bundle(case: Case, findings: Sequence[Finding]) -> str:
    """Return the text to paste into an issue."""
    told = {
        "schema": 1,
        "versions": _versions(),
        "settings": _settings(case),
        "proxy_variables": proxy_names(case.environment),
        "findings": [_finding(each) for each in findings],
        "store": _store(case),
    }
    clean = Cleaner(case.settings.secrets()).clean
    return json.dumps(_masked(told, clean), indent=1, ensure_ascii=False)


def _finding(finding: Finding) -> dict[str, str | None]:
    # What is well names the workspace, the number and the folder: nobody needs that.
    is_well = finding.state is State.OK
    return {
        "check": finding.check,
        "state": str(finding.state),
        "fact": None if is_well else finding.fact,
    }


def _masked(value: Any, clean: Callable[[str], str]) -> Any:
    match value:
        case dict():
            return {name: _masked(each, clean) for name, each in value.items()}
        case list():
            return [_masked(each, clean) for each in value]
        case str():
            return _NUMBER.sub("(number)", clean(value)).replace(str(Path.home()), "~")
        case _:
            return value


def _versions() -> dict[str, str]:
    return {
        "bridge": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        **{n: version_of(n) or "missing" for n in map(name_of, requirements())},
    }


def _settings(case: Case) -> dict[str, str]:
    return {
        setting.name: _told(setting.name, value, origin)
        for setting, value, origin in module.shown(case.environment)
    }


def _told(name: str, value: str, origin: str) -> str:
    if origin == "default":
        return "(default)" if value else "(not set)"
    return value if name in _TELLING else "(set)"


def _store(case: Case) -> dict[str, Any] | None:
    contents = case.storage.contents
    if contents is None:
        return None
    return figures(contents.standing, contents.flow, contents.account, utc_now())
