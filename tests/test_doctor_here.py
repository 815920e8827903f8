"""What the doctor says of this machine: each finding made on purpose, its text read."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.doctor import here
from bridge.doctor.case import Case
from bridge.doctor.findings import Area, Finding, Row, State
from bridge.doctor.machine import holder_of, network_filesystem
from bridge.doctor.packages import check_versions
from bridge.doctor.running import Page
from bridge.model import ChatId, NewDelivery
from bridge.schedule import Schedule
from bridge.store import open_store
from bridge.store.inspection import Inspection, inspect_store
from bridge.store.migrations import HEAD
from bridge.store.room import disk_of
from bridge.wording.doctor import DISK_IS_LOW
from tests.examination import look, look_at_all
from tests.harness import (
    APP_TOKEN,
    BOT_TOKEN,
    GREEN_TOKEN,
    World,
    free_port,
    make_world,
    open_world,
)

GOOD = {
    "SLACK_BOT_TOKEN": BOT_TOKEN,
    "SLACK_APP_TOKEN": APP_TOKEN,
    "GREEN_API_ID_INSTANCE": "1101000001",
    "GREEN_API_TOKEN_INSTANCE": GREEN_TOKEN,
}
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("here")) as made:
        yield made


def case(**settings: str) -> Case:
    return Case({n: v for n, v in {**GOOD, **settings}.items() if v}, None)


# --- the settings -------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such bits")
def test_secrets_that_others_can_read_are_told_with_the_command(tmp_path: Path) -> None:
    Path(".env").write_text(f"SLACK_BOT_TOKEN={BOT_TOKEN}\n")
    Path(".env").chmod(0o644)
    (tmp_path / "my token").write_text(GREEN_TOKEN)
    (tmp_path / "my token").chmod(0o640)

    named = str(tmp_path / "my token")
    finding = here.check_env_file(case(GREEN_API_TOKEN_INSTANCE_FILE=named))

    assert finding.state is State.PROBLEM
    assert finding.fix == f"chmod 600 '{named}' .env"
    assert finding.is_mendable
    assert BOT_TOKEN not in str(finding)


def test_an_env_file_of_its_owner_alone_is_well() -> None:
    assert here.check_env_file(case()).fact.startswith("none; ")
    Path(".env").write_text(f"SLACK_BOT_TOKEN={BOT_TOKEN}\n")
    Path(".env").chmod(0o600)

    assert here.check_env_file(case()).fact == ".env, for its owner only"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"SLACK_BOT_TOKEN": APP_TOKEN}, "This is an app-level token: put it in"),
        ({"SLACK_APP_TOKEN": BOT_TOKEN}, "This is a bot token: put it in SLACK_BOT"),
        ({"SLACK_BOT_TOKEN": "xoxp-1"}, "a user token, which the bridge never needs"),
        (
            {"GREEN_API_ID_INSTANCE": "d75b3a66" * 6},
            "This looks like the token: put it",
        ),
        ({"GREEN_API_ID_INSTANCE": ""}, "GREEN_API_ID_INSTANCE is missing."),
        (
            {"GREEN_API_TOKEN_INSTANCE": "", "GREEN_API_TOKEN": "t"},
            "GREEN_API_TOKEN is set; this program reads GREEN_API_TOKEN_INSTANCE.",
        ),
        ({"SLACK_APP_TOKEN": ""}, "Neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET"),
    ],
)
def test_settings_that_the_bridge_would_not_start_with(
    settings: dict[str, str], words: str
) -> None:
    finding = here.check_configuration(case(**settings))

    assert finding.state is State.PROBLEM
    assert words in finding.fact
    assert "bridge init" in (finding.fix or "")


def test_settings_that_it_would_start_with() -> None:
    assert here.check_configuration(case()).fact == "Socket Mode, polling"


@pytest.mark.parametrize(
    ("settings", "fact"),
    [
        ({"SLACK_BOT_TOKN": "x"}, "SLACK_BOT_TOKN is not a setting. Did you mean SL"),
        ({"GREEN_API_TOKEN": "x"}, "GREEN_API_TOKEN is not a setting. Did you mean "),
        (
            {"APP_TOKEN": "x", "SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "s"},
            "APP_TOKEN is set; this program reads SLACK_APP_TOKEN.",
        ),
    ],
)
def test_a_name_of_another_program_is_recognised(
    settings: dict[str, str], fact: str
) -> None:
    finding = here.check_names(case(**settings))

    assert finding.state is State.WARNING
    assert finding.fact.startswith(fact)


def test_names_that_are_settings_are_well() -> None:
    assert here.check_names(case(APP_TOKEN="x")).state is State.OK  # ours is set, too


def test_what_a_missing_setting_is_needed_for_is_not_looked_at(world: World) -> None:
    findings = look_at_all(world, "slack", "green", SLACK_BOT_TOKEN="xapp-swapped")

    found = {f.check: f for f in findings}
    assert found["bot-token"].state is State.SKIPPED
    assert found["bot-token"].fact == "not looked at: see configuration"
    assert found["instance"].state is State.OK


# --- the network --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "state", "words"),
    [
        ({}, State.OK, "none"),
        (
            {"HTTPS_PROXY": "http://joe:s3cret@proxy.example:3128"},
            State.OK,
            "proxy.example:3128, for Slack and GREEN-API",
        ),
        (
            {"https_proxy": "socks5://proxy.example:1080"},
            State.PROBLEM,
            "of a kind that can't be used (socks5)",
        ),
        (
            {"HTTPS_PROXY": "proxy.example:3128", "NO_PROXY": ".slack.com,slack.com"},
            State.WARNING,
            "NO_PROXY exempts slack.com, but Socket Mode goes through proxy.example",
        ),
    ],
)
def test_the_proxy_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    state: State,
    words: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    finding = here.check_proxy(case())

    assert finding.state is state
    assert words in finding.fact
    assert "s3cret" not in str(finding)


def test_a_proxy_does_not_count_for_a_sandbox(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    assert look(world, "proxy").fact == "none"


def test_a_port_that_is_taken_says_by_whom() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        patient = case(PORT=str(port))
        patient.page = Page(None)  # it does not answer
        finding = here.check_port(patient)
        holder = holder_of(port)

    assert finding.state is State.PROBLEM
    assert finding.fact.startswith(f"127.0.0.1:{port} is taken (")
    if Path("/proc/net/tcp").exists():
        assert f"process {os.getpid()}" in (holder or "")
        assert (holder or "") in finding.fact


def test_an_address_that_is_not_of_this_machine() -> None:
    patient = case(HOST="203.0.113.7", PORT=str(free_port()))
    patient.page = Page(None)  # nobody answered

    finding = here.check_port(patient)

    assert finding.state is State.PROBLEM
    assert "can't be used (Cannot assign requested address)" in finding.fact


def test_no_port_is_no_problem() -> None:
    finding = here.check_port(case(PORT="0"))

    assert (finding.state, "no health pages" in finding.fact) == (State.SKIPPED, True)


def test_a_port_that_is_free() -> None:
    port = free_port()

    assert here.check_port(case(PORT=str(port))).fact == f"127.0.0.1:{port} is free"


# --- the running bridge -------------------------------------------------------------


def test_a_running_bridge_is_recognised_and_its_words_are_used(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        port = world.bridge.port
        well = found(world)
        world.green.set_state("notAuthorized")
        world.wait_for(lambda: "logged out" in world.bridge.get("/readyz")[1])
        on_hold = found(world)
        world.slack.outage()
        world.slack.disconnect("rst")
        world.wait_for(lambda: world.bridge.get("/readyz")[0] == 503)
        cut_off = found(world)

    assert well["running"].fact == "yes, and ready"
    assert well["port"].fact == f"127.0.0.1:{port}, held by the running bridge"
    assert well["socket"].fact.startswith("the running bridge is connected. ")
    assert on_hold["running"].state is State.WARNING
    assert "The WhatsApp account is logged out." in on_hold["running"].fact
    assert cut_off["running"].state is State.PROBLEM
    assert cut_off["socket"].fact == "There is no Socket Mode connection to Slack."


def found(world: World) -> dict[str, Finding]:
    return {f.check: f for f in look_at_all(world, "here", "slack")}


def test_a_copy_without_a_web_server_is_known_by_its_database(tmp_path: Path) -> None:
    with make_world(tmp_path, PORT="0") as world:
        world.bridge.launch()
        world.wait_for(lambda: world.slack.socket_mode.connections == 2)

        findings = found(world)
        by_name = look(world, "socket")
        pid = world.bridge.pid

    assert findings["running"].fact == f"yes: process {pid}"
    assert findings["socket"].state is State.SKIPPED
    assert "--only socket" in findings["socket"].fact
    # Asked for by name it is tried, and the copy's own two connections are no others.
    assert by_name.state is State.OK


def test_where_nothing_runs_it_says_how_to_start(world: World) -> None:
    assert look(world, "running").fact == "no; start it with: bridge run"


# --- the storage --------------------------------------------------------------------


def test_looking_for_a_database_makes_none(tmp_path: Path) -> None:
    finding = here.check_storage(case(BRIDGE_DATA_DIR=str(tmp_path / "data")))

    assert finding.state is State.OK
    assert "will be made by bridge run" in finding.fact
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    open_store(f"sqlite:///{path}").database.close()
    before = path.read_bytes()

    finding = here.check_storage(case(BRIDGE_DATA_DIR=str(tmp_path)))

    assert finding.state is State.OK
    assert finding.fact.startswith(f"{path}, schema {HEAD}, ")
    assert finding.fact.endswith(" free")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("damage", "is damaged. It was left as it is"),
        ("lose", "is missing or empty"),
        ("lock", "Another program has locked the database."),
        ("replace", "can't be used (OperationalError)"),
    ],
)
def test_a_database_in_trouble_has_the_words_of_the_bridge_itself(
    tmp_path: Path, spoil: str, words: str
) -> None:
    path = tmp_path / "bridge.db"
    open_store(f"sqlite:///{path}").database.close()
    other = sqlite3.connect(path, isolation_level=None)
    if spoil == "damage":
        path.write_bytes(b"no database at all" * 100)
    elif spoil == "lose":
        path.unlink()
    elif spoil == "replace":
        path.unlink()
        path.mkdir()
    else:
        other.execute("BEGIN IMMEDIATE")

    finding = here.check_storage(case(BRIDGE_DATA_DIR=str(tmp_path)))

    other.close()
    assert finding.state is State.PROBLEM
    assert words in finding.fact


def test_a_folder_that_can_not_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "no folder").touch()

    finding = here.check_storage(case(BRIDGE_DATA_DIR=str(tmp_path / "no folder")))

    assert finding.state is State.PROBLEM
    assert f"this user can't write to {tmp_path / 'no folder'}" in finding.fact
    assert "BRIDGE_DATA_DIR" in (finding.fix or "")


def test_a_disk_that_is_nearly_full_has_the_words_of_readyz(tmp_path: Path) -> None:
    disk = disk_of(tmp_path / "not" / "yet", lambda _: (10**12, 10**12 - 10**8, 10**8))
    seen = Inspection(tmp_path / "bridge.db", schema=HEAD, journal="wal")

    finding = here.judge_file(Row("storage", Area.HERE), seen, seen.path, disk)

    assert disk is not None
    assert disk.is_low
    assert finding.state is State.PROBLEM
    assert f"95 MB free. {finding.fact.partition('. ')[2]}. {finding.fix}" == (
        f"95 MB free. {DISK_IS_LOW}"
    )


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/nfs/data/bridge.db", "nfs4"),
        ("/srv/nfsdata/bridge.db", None),
        ("/srv/my share/bridge.db", "cifs"),
        ("/var/lib/bridge.db", None),
    ],
)
def test_a_network_file_system_is_recognised(path: str, kind: str | None) -> None:
    mounts = (
        "/dev/sda1 / ext4 rw 0 0\n"
        "server:/x /srv/nfs nfs4 rw,hard 0 0\n"
        "//pc/y /srv/my\\040share cifs rw 0 0\n"
    )

    assert network_filesystem(Path(path), mounts) == kind


def test_an_older_database_is_updated_by_the_bridge_not_by_the_doctor(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bridge.db"
    open_store(f"sqlite:///{path}").database.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")

    finding = here.check_storage(case(BRIDGE_DATA_DIR=str(tmp_path)))

    assert "schema 0001; bridge run updates it" in finding.fact
    assert inspect_store(f"sqlite:///{path}", NOW, Schedule()).schema == "0001"


def test_what_a_database_tells_without_being_opened_for_work(database_url: str) -> None:
    store = open_store(database_url)
    store.accounts.use("1101000001")
    new = NewDelivery("s1", ChatId("4915123456789@c.us"), "Hello")
    store.outbox.add(new, NOW, Schedule().expiry())
    store.replicas.join(NOW)
    is_claimed = store.database.claim_sole_use()

    seen = inspect_store(database_url, NOW, Schedule())

    store.database.close()
    assert is_claimed
    assert seen.trouble is None
    assert seen.is_current
    assert seen.copies == 1
    assert seen.contents is not None
    assert seen.contents.standing.waiting == 1
    assert seen.contents.flow.stored == 1
    assert seen.contents.refused_for_plan == (0, None)


def test_an_empty_server_is_left_empty(postgres_url: str) -> None:
    seen = inspect_store(postgres_url, NOW, Schedule())
    finding = here.check_storage(case(DATABASE_URL=postgres_url))

    assert not seen.is_made
    assert finding.fact == "PostgreSQL, still empty; bridge run makes the tables"


def test_a_server_that_is_not_there() -> None:
    address = f"postgresql://joe:s3cret@127.0.0.1:{free_port()}/db"

    finding = here.check_storage(case(DATABASE_URL=address))

    assert finding.state is State.PROBLEM
    assert finding.fact.startswith("The database server can't be reached")
    assert "s3cret" not in str(finding)


def test_the_versions_are_told() -> None:
    finding = check_versions(case())

    assert finding.state in {State.OK, State.SKIPPED}
    assert finding.fact.startswith("bridge ")
