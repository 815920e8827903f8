"""``bridge doctor`` from the first look to the exit code."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import click

from bridge import logs
from bridge.doctor.bundle import bundle
from bridge.doctor.case import Case
from bridge.doctor.checks import BROKEN_SETTINGS, CHECKS, Check
from bridge.doctor.examine import examine, select
from bridge.doctor.findings import Area, Finding, State
from bridge.doctor.mend import NotMended, Remedy, remedies
from bridge.doctor.report import Report, as_json, total
from bridge.parts import keep_off_proxies

FAILED = 1
CONFIGURATION = 78

NOT_CONFIGURED = "Nothing is set up here yet. Run: bridge init"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line."""

    checks: tuple[Check, ...]
    by_name: frozenset[str]
    as_json: bool
    as_bundle: bool
    is_fixing: bool
    is_sure: bool  # --yes
    is_strict: bool

    @classmethod
    def of(
        cls,
        only: str | None,
        as_json: bool,
        as_bundle: bool,
        is_fixing: bool,
        is_sure: bool,
        is_strict: bool,
    ) -> Wanted:
        """Read the options.

        Raises:
            ValueError: they make no sense; the text says why.
        """
        if is_fixing and as_json and not is_sure:
            raise ValueError("--fix with --json asks nobody: add --yes.")
        words = frozenset(re.findall(r"[^\s,]+", only or ""))
        try:
            checks = select(words)
        except ValueError as err:
            known = ", ".join([*Area, *(check.name for check in CHECKS)])
            raise ValueError(f"There is no check {err}. There are: {known}.") from None
        return cls(
            tuple(checks), words, as_json, as_bundle, is_fixing, is_sure, is_strict
        )


def visit(environment: Mapping[str, str], env_file: Path | None, wanted: Wanted) -> int:
    """Look, tell, mend if wanted; return the exit code.

    Args:
        environment: names to values, those of ``.env`` included.
        env_file: the file that was named; None: ``.env`` here, if there is one.
        wanted: the options.
    """
    case = Case(environment, env_file)
    if not case.is_configured:
        if wanted.as_json:
            click.echo(json.dumps(as_json([])))
        click.echo(NOT_CONFIGURED, err=True)
        return CONFIGURATION
    logs.configure("ERROR", case.settings.log_format, case.settings.secrets())
    # What its lines say of a refusal, a finding says better.
    logging.getLogger("slack_sdk").setLevel(logging.CRITICAL)
    keep_off_proxies(case.settings.slack_api_url)
    try:
        return _visit(case, wanted)
    finally:
        case.close()


def _visit(case: Case, wanted: Wanted) -> int:
    is_talking = not (wanted.as_json or wanted.as_bundle)
    report = Report(sys.stdout) if is_talking else None
    findings, is_configured = [], True
    for each in examine(case, wanted.checks, by_name=wanted.by_name):
        findings.append(each.finding)
        is_configured &= not each.is_unconfigured
        if report is not None:
            report.show(each.finding)
    mended: dict[str, str] = {}
    if wanted.is_fixing:
        mended = _mend(case, findings, wanted)
        findings = [_after(finding, mended) for finding in findings]
        _show_mended(report, findings, mended)
    if report is not None:
        report.say(total(findings))
    elif wanted.as_bundle:
        click.echo(bundle(case, findings))
    else:
        click.echo(json.dumps(as_json(findings, list(mended.values()))))
    return _exit_code(findings, is_configured, wanted)


def _mend(case: Case, findings: list[Finding], wanted: Wanted) -> dict[str, str]:
    """Apply what is agreed to; return what was done, by check."""
    done = {}
    for remedy in remedies(case, findings):
        click.echo("", err=True)
        for step in remedy.steps:
            click.echo(f"  {step}", err=True)
        if not _is_agreed(remedy, wanted, sys.stdin):
            click.echo("Nothing was changed.", err=True)
            continue
        try:
            done[remedy.check] = remedy.apply()
        except NotMended as err:
            click.echo(str(err), err=True)
    return done


def _show_mended(
    report: Report | None, findings: list[Finding], mended: Mapping[str, str]
) -> None:
    for finding in findings:
        if report is not None and finding.check in mended:
            report.show(finding)


def _is_agreed(remedy: Remedy, wanted: Wanted, stdin: TextIO) -> bool:
    if wanted.is_sure:
        return True
    if not stdin.isatty():
        click.echo("Nobody is there to be asked; to agree, add --yes.", err=True)
        return False
    return click.confirm(remedy.question, err=True)


def _after(finding: Finding, mended: Mapping[str, str]) -> Finding:
    if finding.check not in mended or not finding.is_mendable:
        return finding
    fact = mended[finding.check]
    return replace(
        finding, state=State.OK, fact=fact, fix=None, link=None, is_mendable=False
    )


def _exit_code(findings: list[Finding], is_configured: bool, wanted: Wanted) -> int:
    problems = {f.check for f in findings if f.state is State.PROBLEM}
    if not is_configured or problems & BROKEN_SETTINGS:
        return CONFIGURATION
    if problems:
        return FAILED
    is_warned = any(finding.state is State.WARNING for finding in findings)
    return FAILED if is_warned and wanted.is_strict else 0
