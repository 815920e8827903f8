"""README's two commands on the machines people really have."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

QUICK = "ARGS=tests/test_recipient.py -q"


def commands_in(readme: Path) -> list[str]:
    block = re.search(r"```sh\n(.*?)```", readme.read_text("utf-8"), re.DOTALL)
    assert block is not None
    return [line.partition("#")[0].strip() for line in block[1].splitlines()]


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"PYTHON={path}"


def test_the_two_commands_at_the_same_moment_on_the_worst_machine(
    clone, environment, run
):
    """A blank and Cyrillic letters in the path, PIP_USER=1, a half-built .venv."""
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/python").symlink_to("/nonexistent/python3")
    commands = commands_in(clone / "README.md")
    assert commands == ["make demo", "make test"]

    running = [
        subprocess.Popen(
            [*command.split(), *([QUICK] if command == "make test" else [])],
            cwd=clone,
            env=environment | {"PIP_USER": "1", "CI": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands
    ]
    outputs = [process.communicate(timeout=600)[0] for process in running]

    assert [process.returncode for process in running] == [0, 0], outputs
    assert "passed" in outputs[1].splitlines()[-1]

    # The second time nothing is installed.
    again = run("make", "test", QUICK, cwd=clone)

    assert again.returncode == 0
    assert "Installing" not in again.stderr

    # A pull brings another pyproject.toml: installed anew, the folder is kept.
    kept = clone / ".venv/kept"
    kept.touch()
    (clone / "pyproject.toml").touch()
    pulled = run("make", "test", QUICK, cwd=clone)

    assert pulled.returncode == 0
    assert "Installing" in pulled.stderr
    assert kept.exists()

    cleaned = run("make", "clean", cwd=clone)

    assert cleaned.returncode == 0
    assert not (clone / ".venv").exists()


def test_offline_it_says_what_is_missing(clone, run):
    result = run("make", "demo", cwd=clone, PIP_NO_INDEX="1")

    assert result.returncode != 0
    assert "Could not install the dependencies. Behind a proxy" in result.stderr
    assert not (clone / ".venv/.ready").exists()


def test_a_python_that_is_too_old_is_named_at_once(clone, run):
    old = '[ "$1" = -c ] && exit 1; echo Python 3.9.2'
    started = time.monotonic()

    result = run("make", "test", fake_python(clone.parent, old), cwd=clone)

    assert result.returncode != 0
    assert "Python 3.11 or newer is needed, but" in result.stderr
    assert "is Python 3.9.2. Try: make PYTHON=python3.12 test" in result.stderr
    assert time.monotonic() - started < 1
    assert not (clone / ".venv").exists()


def test_without_any_python_it_says_so(clone, run):
    result = run("make", "PYTHON=python3.99", "demo", cwd=clone)

    assert result.returncode != 0
    assert "there is no 'python3.99'" in result.stderr


def test_without_the_venv_module_it_names_the_package(clone, run):
    without = f'[ "$1$2" = -mvenv ] && exit 1; exec "{sys.executable}" "$@"'

    result = run("make", "demo", fake_python(clone.parent, without), cwd=clone)

    assert result.returncode != 0
    assert "sudo apt install python3-venv" in result.stderr


def test_make_alone_installs_nothing(clone, run):
    result = run("make", cwd=clone)

    assert result.returncode == 0
    assert "make demo" in result.stdout
    assert not (clone / ".venv").exists()
