"""The packages that are installed, against those that the bridge asks for."""

from __future__ import annotations

import re
import sys
from importlib import metadata

from bridge import __version__
from bridge.doctor.findings import Area, Finding, Row

PACKAGE = "whatsapp-slack-bridge"


def check_versions(_: object) -> Finding:
    """Compare the packages that are installed with those the bridge asks for."""
    row = Row("versions", Area.HERE)
    python = ".".join(map(str, sys.version_info[:3]))
    fact = f"bridge {__version__}, Python {python}"
    needed = requirements()
    if not needed:
        return row.skipped(f"{fact}; not installed as a package")
    wrong = [odd for line in needed if (odd := _odd(line))]
    if wrong:
        return row.problem(
            f"{fact}; {', '.join(wrong)}",
            "Install it again: pip install --upgrade --force-reinstall .",
        )
    return row.ok(f"{fact}, packages as needed")


def requirements() -> list[str]:
    """Return what the bridge asks for, such as ``click<9,>=8.1``, without extras.

    Empty when it runs from a folder, without having been installed.
    """
    try:
        lines = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []
    return [line for line in lines if ";" not in line]


def name_of(requirement: str) -> str:
    """Return the package that a requirement is about.

    >>> name_of("slack-bolt<2,>=1.30")
    'slack-bolt'
    """
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def version_of(name: str) -> str | None:
    """Return the installed version of a package; None if there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _odd(requirement: str) -> str | None:
    """Say what is wrong with an installed package; None if it is as it should be."""
    name = name_of(requirement)
    found = version_of(name)
    if found is None:
        return f"{name} is missing"
    if satisfies(found, requirement):
        return None
    return f"{name} is {found}, not {requirement.removeprefix(name).strip(' ()')}"


def satisfies(version: str, requirement: str) -> bool:
    """Whether a release fits the bounds of a requirement.

    >>> [satisfies(v, "click<9,>=8.1") for v in ("8.1", "8.3.1", "8.0.9", "9.0")]
    [True, True, False, False]
    """
    bounds = re.findall(r"(>=|<)\s*([0-9.]+)", requirement)
    mine = _release(version)
    return all(
        mine >= _release(bound) if sign == ">=" else mine < _release(bound)
        for sign, bound in bounds
    )


def _release(version: str) -> tuple[int, ...]:
    numbers = re.match(r"[0-9]+(\.[0-9]+)*", version)
    parts = [int(part) for part in numbers[0].split(".")] if numbers else [0]
    while parts and parts[-1] == 0:  # 2.0 is 2
        parts.pop()
    return tuple(parts)
