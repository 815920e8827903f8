"""The rules on who may import whom are rules: each one breaks when it is broken."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="a tool of make check, not of make test")

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONTRACTS = {c["id"]: c for c in PYPROJECT["tool"]["importlinter"]["contracts"]}

# One forbidden line for each rule, and the module that gets it.
PLANTED = {
    "layers": ("bridge.errors", "import bridge.model"),
    "store": ("bridge.store.tables", "import bridge.store.outbox"),
    "flows": ("bridge.flows.report", "import requests"),
    "sql": ("bridge.flows.outbound", "import sqlalchemy"),
    "nouns": ("bridge.recipient", "import socket"),
    "green-api": ("bridge.whatsapp.answers", "import bridge.wording"),
    "sandbox": ("bridge.sandbox.websocket", "import bridge.reasons"),
    "not-the-sandbox": ("bridge.web", "import bridge.sandbox"),
}
# What only the sandbox may import, of all that is installed with the bridge.
ALLOWED_IN_THE_SANDBOX = {"flask"}
IMPORTED_AS = {
    "slack-bolt": {"slack_bolt", "slack_sdk"},
    "python-dotenv": {"dotenv"},
    "phonenumberslite": {"phonenumbers"},
}

RUN = "from importlinter.cli import lint_imports_command as run; run()"


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, "--no-cache"]
    return subprocess.run(
        command, cwd=tree, capture_output=True, text=True, check=False, timeout=60
    )


def copy_to(tree: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tree)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "bridge", tree / "bridge", ignore=ignore)


def sections(report: str) -> dict[str, str]:
    """Return what the report says of each broken contract, by its name."""
    names = "|".join(re.escape(c["name"]) for c in CONTRACTS.values())
    parts = re.split(rf"^({names})\n-+\n", report, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_rule_has_a_violation_planted_below():
    assert set(PLANTED) == set(CONTRACTS)


def test_the_code_keeps_every_rule(tmp_path):
    copy_to(tmp_path)

    result = lint(tmp_path)

    assert result.returncode == 0, result.stdout
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in result.stdout


def test_each_rule_notices_its_own_violation(tmp_path):
    copy_to(tmp_path)
    for module, line in PLANTED.values():
        path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
        path.write_text(f"{path.read_text('utf-8')}\n{line}\n", "utf-8")

    result = lint(tmp_path)

    assert result.returncode == 1
    found = sections(result.stdout)
    for contract_id, (module, line) in PLANTED.items():
        told = found[CONTRACTS[contract_id]["name"]]
        assert f"{module} -> {line.split()[1]}" in told, contract_id


def test_a_new_room_needs_a_place(tmp_path):
    copy_to(tmp_path)
    (tmp_path / "bridge/newcomer.py").write_text('"""A room without a place."""\n')

    result = lint(tmp_path)

    assert result.returncode == 1
    assert "bridge.newcomer" in result.stdout


def test_the_sandbox_may_import_no_room_and_no_other_dependency():
    rooms = {
        f"bridge.{path.stem}"
        for path in (ROOT / "bridge").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    names = [
        re.match(r"[\w-]+", line)[0] for line in PYPROJECT["project"]["dependencies"]
    ]
    packages = {
        module
        for name in names
        for module in IMPORTED_AS.get(name, {name.replace("-", "_").lower()})
    }

    forbidden = set(CONTRACTS["sandbox"]["forbidden_modules"])

    expected = rooms | packages
    expected -= {"bridge.__init__", "bridge.sandbox"} | ALLOWED_IN_THE_SANDBOX
    assert forbidden == expected
