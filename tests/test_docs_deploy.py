"""What lies in deploy/, and the image, fit the program they start."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from bridge import cli
from bridge.readiness import Facts, reasons
from bridge.settings_table import TABLE
from bridge.web import Condition, make_web
from bridge.wiring import STOP_SECONDS

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SETTINGS = {setting.name for setting in TABLE}


def yaml_of(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


# --- systemd --------------------------------------------------------------------------


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "bridge.service", "utf-8")
    return parser["Service"]


def test_the_unit_fits_the_program() -> None:
    service = unit()

    assert service["RestartPreventExitStatus"] == str(cli.CONFIGURATION)
    assert int(service["TimeoutStopSec"]) > STOP_SECONDS
    assert service["ExecStart"].split()[1:] == ["-m", "bridge", "run"]
    assert service["User"] != "root"
    assert service["StateDirectoryMode"] == "0700"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "bridge.service").read_text("utf-8")
    here = text.replace("/opt/bridge/bin/python", sys.executable)
    copy = tmp_path / "bridge.service"
    copy.write_text(here, "utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


# --- the image ------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def last(name: str) -> str:
    return [rest for instruction, rest in instructions() if instruction == name][-1]


def arguments(text: str) -> list[str]:
    """Return the words of an instruction in JSON form."""
    words: list[str] = json.loads(text[text.index("[") :])
    return words


def accept(words: list[str]) -> None:
    """Have click read a command and its options without running it.

    Raises:
        click.ClickException: there is no such command or option.
    """
    name, *options = words
    cli.cli.commands[name].make_context(name, options, resilient_parsing=False)


def test_the_image_runs_as_nobody_and_stops_cleanly() -> None:
    assert last("USER") == "bridge"
    assert last("VOLUME") == "/data"
    assert last("STOPSIGNAL") == "SIGTERM"
    assert "BRIDGE_DATA_DIR=/data" in last("ENV")
    assert last("FROM").startswith("python:3.")


def test_what_the_image_starts_are_commands_of_the_bridge() -> None:
    assert arguments(last("ENTRYPOINT")) == ["bridge"]
    accept(arguments(last("CMD")))
    entry, *check = arguments(last("HEALTHCHECK"))
    assert entry == "bridge"
    accept(check)


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    ]
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in shlex.split(rest)[:-1]
    ]

    assert sorted(copied) == sorted(kept)
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert not any(fnmatch(".env", pattern) for pattern in kept)


# --- Compose --------------------------------------------------------------------------


def services() -> dict[str, Any]:
    (compose,) = yaml_of(ROOT / "compose.yaml")
    found: dict[str, Any] = compose["services"]
    return found


def test_compose_publishes_on_this_machine_only() -> None:
    ports = [port for each in services().values() for port in each.get("ports", [])]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_compose_knows_our_settings_and_gives_the_bridge_time() -> None:
    bridge = services()["bridge"]

    assert set(bridge["environment"]) <= SETTINGS
    assert int(bridge["stop_grace_period"].removesuffix("s")) > STOP_SECONDS


def test_the_demo_in_compose_sees_no_settings() -> None:
    demo = services()["demo"]

    assert demo.keys().isdisjoint({"env_file", "environment", "volumes", "ports"})
    accept(demo["command"])


# --- Kubernetes -----------------------------------------------------------------------

MANIFESTS = ["kubernetes.yaml", "kubernetes-postgres.yaml"]


def workload(name: str) -> dict[str, Any]:
    (found,) = [part for part in yaml_of(DEPLOY / name) if "template" in part["spec"]]
    return found


def pod(name: str) -> dict[str, Any]:
    found: dict[str, Any] = workload(name)["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_pod_has_known_settings_and_time_to_stop(name: str) -> None:
    (container,) = pod(name)["containers"]

    assert {variable["name"] for variable in container["env"]} <= SETTINGS
    assert pod(name)["terminationGracePeriodSeconds"] > STOP_SECONDS


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_pod_is_asked_at_pages_that_there_are(name: str) -> None:
    web = make_web(lambda: Condition({}, {})).test_client()
    (container,) = pod(name)["containers"]

    paths = {
        kind: container[kind]["httpGet"]["path"]
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }

    assert [web.get(path).status_code for path in paths.values()] == [200] * 3
    assert paths["livenessProbe"] == "/livez"  # else an outage elsewhere restarts it


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_pod_writes_only_where_a_volume_is(name: str) -> None:
    (container,) = pod(name)["containers"]
    claims = workload(name)["spec"].get("volumeClaimTemplates", [])

    mounted = {mount["name"] for mount in container["volumeMounts"]}

    volumes = {volume["name"] for volume in pod(name)["volumes"]}
    assert mounted == volumes | {claim["metadata"]["name"] for claim in claims}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod(name)["securityContext"]["runAsUser"] == 10001


def test_on_sqlite_there_is_never_a_second_copy() -> None:
    spec = workload("kubernetes.yaml")["spec"]

    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_on_postgresql_each_copy_has_a_folder_of_its_own() -> None:
    found = workload("kubernetes-postgres.yaml")

    assert found["kind"] == "StatefulSet"
    assert found["spec"]["replicas"] > 1
    assert found["spec"]["volumeClaimTemplates"]


def test_the_image_and_the_pods_agree_on_the_user() -> None:
    assert any("--uid 10001" in rest for name, rest in instructions() if name == "RUN")


# --- what the pages say ---------------------------------------------------------------


def test_the_parts_of_readyz_are_explained() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    facts = Facts(slack_connections=0, store_trouble="gone")

    unready = set(re.findall(r"^\| `(\w+)` \| `reasons`", page, re.M))

    assert unready == set(reasons(facts))


def test_the_commands_that_the_pages_show_exist() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "SECURITY.md"]
    text = "\n".join(page.read_text("utf-8") for page in pages)
    shown = set(re.findall(r"(?:`|^ {4}|/)bridge ([a-z]+)\b", text, re.M))

    assert shown
    assert shown - set(cli.cli.commands) == set()


def test_what_is_not_an_option_would_be_noticed() -> None:
    with pytest.raises(click.ClickException):
        accept(["run", "--nonsense"])
