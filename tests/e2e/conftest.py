"""What the installation tests share: a copy of the project, and commands run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a clone does not have; above all nobody's .env and outbox.
NOT_IN_A_CLONE = (
    *(".env", ".env.bak", ".git", ".venv", ".hypothesis", ".*_cache"),
    *("data", "dist", "__pycache__"),
)

# Before a fixture takes the proxies away: pip may need them.
AS_STARTED = dict(os.environ)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def clone(tmp_path) -> Path:
    """A copy of the project where many tools give up: a blank, letters beyond ASCII."""
    tree = tmp_path / "Мои проекты" / "whatsapp bridge"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*NOT_IN_A_CLONE))
    return tree


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment without what make and an active venv would add to it."""
    ours = ("MAKE", "MFLAGS", "VIRTUAL_ENV", "PYTHON", "SLACK_", "GREEN_API_", "BRIDGE")
    return {k: v for k, v in AS_STARTED.items() if not k.startswith(ours)}


@pytest.fixture
def run(environment) -> Run:
    def run(
        *command: str | Path, cwd: Path, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd,
            env=environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    return run
