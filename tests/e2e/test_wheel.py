"""The package as users get it: a wheel, installed far away from any checkout."""

from __future__ import annotations

import json
import sys
import venv
import zipfile

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture
def wheel(clone, run, tmp_path):
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    built = run(*pip, "--wheel-dir", tmp_path, ".", cwd=clone, PIP_USER="0")
    assert built.returncode == 0, built.stderr
    (path,) = tmp_path.glob("*.whl")
    return path


def test_an_installed_wheel_does_the_journeys(wheel, run, tmp_path):
    away = tmp_path / "somewhere else"
    away.mkdir()
    venv.create(away / "venv", with_pip=True)
    python = away / "venv/bin/python"
    bridge = away / "venv/bin/bridge"

    installed = run(
        python, "-m", "pip", "install", "--quiet", wheel, cwd=away, PIP_USER="0"
    )
    assert installed.returncode == 0, installed.stderr

    version = run(python, "-m", "bridge", "version", "--json", cwd=away)
    assert json.loads(version.stdout)["version"] in wheel.name

    helped = run(python, "-m", "bridge", "--help", cwd=away)
    assert "bridge demo" in helped.stdout

    explained = run(python, "-m", "bridge", "explain", "79001234567 hi", cwd=away)
    assert "79001234567@c.us" in explained.stdout

    demo = run(python, "-m", "bridge", "demo", cwd=away, CI="true")
    assert demo.returncode == 0, demo.stdout + demo.stderr

    assert bridge.exists()


def test_the_wheel_holds_the_bridge_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    folders = {name.partition("/")[0] for name in names}
    assert {f for f in folders if not f.endswith(".dist-info")} == {"bridge"}
    assert any(n.startswith("bridge/store/migrations/versions/0") for n in names)
    assert not [name for name in names if "__pycache__" in name]
