"""``bridge init`` at a terminal, against both emulators, up to the first message."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from slack_sdk import WebClient
from slack_sdk.socket_mode.builtin import SocketModeClient

from bridge.sandbox.green_api import GreenApiSandbox, linking
from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import SlackSandbox
from bridge.sandbox.slack.call import Grant
from bridge.sandbox.slack.command import Command
from bridge.setup.create_app import link
from bridge.setup.qr import draw
from bridge.store import open_store
from tests.harness import (
    APP_TOKEN,
    BOT_TOKEN,
    GREEN_TOKEN,
    PATIENCE,
    REPOSITORY,
    SCALE,
    free_port,
    make_green,
    make_slack,
)
from tests.terminal import Terminal

ID_INSTANCE = "1101000001"
NUMBER = "+1 415 555 0100"
TOKENS = f"{BOT_TOKEN} {APP_TOKEN}"
INSTANCE = f"{ID_INSTANCE} {GREEN_TOKEN}"
NEW_TOKEN = "xoxb-4711-canary-new"
PICTURES = [draw(linking.squares(number)) for number in range(60)]
CODE = re.compile(r"\b[1-9A-Z]{4}-[1-9A-Z]{4}\b")
KNOWN = {
    "SLACK_BOT_TOKEN": BOT_TOKEN,
    "SLACK_APP_TOKEN": APP_TOKEN,
    "GREEN_API_ID_INSTANCE": ID_INSTANCE,
    "GREEN_API_TOKEN_INSTANCE": GREEN_TOKEN,
}


class Desk:
    """Somebody with a terminal, a Slack and a GREEN-API that are not connected yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slack: SlackSandbox = make_slack()
        self.green: GreenApiSandbox = make_green(SCALE)
        self.calls: list[str] = []  # the methods of GREEN-API that were called
        self.changes: list[object] = []  # what setSettings was given
        self.green.on_request = self._note
        parts = [self.slack.blueprint(), self.green.blueprint()]
        self.server = SandboxServer(parts).start()

    def _note(self, method: str, body: object) -> None:
        self.calls.append(method)
        if method == "setSettings":
            self.changes.append(body)

    @property
    def env(self) -> Path:
        return self.folder / ".env"

    def write(self, **values: str) -> None:
        """Write an ``.env`` that only its owner may read."""
        self.env.write_text("".join(f"{n}={v}\n" for n, v in values.items()))
        self.env.chmod(0o600)

    def command(self, text: str) -> Command:
        """Type ``/whatsapp <text>`` in Slack, once the bridge hears it."""
        self.slack.wait_for(lambda: self.slack.socket_mode.connections, PATIENCE)
        command = self.slack.command(text=text)
        assert command.outcome == "acked"
        return command

    def environment(self, **more: str) -> dict[str, str]:
        addresses = {
            "SLACK_API_URL": f"{self.server.url}/api/",
            "GREEN_API_URL": self.server.url,
            "BRIDGE_TIME_SCALE": str(SCALE),
        }
        return {name: v for name, v in {**addresses, **more}.items() if v}

    def init(
        self,
        *arguments: str,
        size: tuple[int, int] = (80, 50),
        output: Path | None = None,
        **environment: str,
    ) -> Terminal:
        """Type ``bridge init``."""
        return Terminal(
            self.folder,
            "init",
            *arguments,
            environment=self.environment(**environment),
            size=size,
            output=output,
        )

    def switch_on(self) -> None:
        """Have the instance's settings as the bridge needs them."""
        self.green.apply_settings(
            incomingWebhook="yes",
            outgoingWebhook="yes",
            outgoingAPIMessageWebhook="yes",
            outgoingMessageWebhook="yes",
            stateWebhook="yes",
        )

    def close(self) -> None:
        self.server.stop()
        self.green.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A desk where nothing has to be linked or changed."""
    desk.switch_on()
    return desk


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- the whole way ----------------------------------------------------------------


def test_from_nothing_to_the_first_message(desk: Desk) -> None:
    desk.green.set_state("notAuthorized")

    with desk.init() as terminal:
        said = terminal.wait_for("Paste the bot token (xoxb-) and the app-level token")
        assert link() in said
        terminal.type(f"{APP_TOKEN}\n{BOT_TOKEN}")  # copied from two pages at once
        terminal.wait_for("Connected to Sandbox as @whatsapp-bridge.")
        terminal.wait_for("Socket Mode works")
        terminal.wait_for("Saved in .env.")
        terminal.wait_for("Paste idInstance and apiTokenInstance:")
        terminal.type(INSTANCE)
        terminal.wait_for("Instance 1101…0001 answers")
        terminal.wait_for("Number (Enter for a QR code):")
        terminal.type("+49 151 23456789")
        code = CODE.search(terminal.wait_for("Waiting for the phone"))
        assert code is not None
        assert linking.enter_code(desk.green, code[0])
        terminal.wait_for("It is linked to +1 ••••• 0199.")
        terminal.wait_for("outgoingWebhook: no → yes (no ticks will ever arrive)")
        terminal.wait_for("Change these now? [Y/n]")
        assert desk.changes == []
        terminal.type("")
        terminal.wait_for("It is back, with the new settings.")
        terminal.wait_for("I am waiting for it.")
        command = desk.command(f"{NUMBER} hello")
        assert "Queued" in str(command.ephemeral)
        terminal.wait_for("Accepted by GREEN-API · idMessage 3EB0")
        terminal.wait_for("All is set. From now on: bridge run")
        assert terminal.end() == 0

    assert [entry.text for entry in desk.green.ledger] == ["hello"]
    (root,) = [m for m in desk.slack.messages("C0SUPPORT") if m["user"] == "U0BRIDGE"]
    assert "idMessage" in desk.slack.thread("C0SUPPORT", root["ts"])[1]["text"]
    assert desk.calls.count("getAuthorizationCode") == 1
    assert desk.changes == [
        {
            "outgoingWebhook": "yes",
            "outgoingAPIMessageWebhook": "yes",
            "incomingWebhook": "yes",
            "outgoingMessageWebhook": "yes",
            "stateWebhook": "yes",
        }
    ]
    assert mode(desk.env) == 0o600
    assert desk.env.read_text() == "".join(f"{n}={v}\n" for n, v in KNOWN.items())


def test_everything_may_be_pasted_at_once(ready: Desk) -> None:
    with ready.init("--no-wait") as terminal:
        terminal.wait_for("Paste the bot token")
        terminal.type(f"idInstance: {ID_INSTANCE}\napiTokenInstance: {GREEN_TOKEN}\n")
        terminal.type(f"SLACK_APP_TOKEN={APP_TOKEN} '{BOT_TOKEN}'")
        terminal.wait_for("Its settings are as the bridge needs them.")
        assert terminal.end() == 0

    assert ready.env.read_text() == "".join(f"{n}={v}\n" for n, v in KNOWN.items())


def test_nothing_that_is_typed_in_between_is_shown(ready: Desk) -> None:
    with ready.init("--no-wait") as terminal:
        terminal.wait_for("Paste the bot token")
        assert not terminal.shows_typing()
        ready.slack.fault("auth.test", delay=0.3)
        terminal.type(BOT_TOKEN)
        terminal.type(APP_TOKEN)  # while Slack is still being asked
        terminal.wait_for("Paste idInstance")
        terminal.type(INSTANCE)
        terminal.wait_for("All is set.")
        assert terminal.end() == 0
        assert terminal.shows_typing()


# --- what is refused --------------------------------------------------------------


def test_a_token_of_another_kind_is_named(ready: Desk) -> None:
    with ready.init("--no-wait") as terminal:
        for wrong, named in {
            "xoxp-1-2-3-abc": "That is a user token (xoxp-)",
            "xoxe.xoxp-1-abc": "That is a configuration token",
            "c0ffee0516e1c0ffee0516e1c0ffee05": "Slack's signing secret",
            "3105000001": "That is an instance for MAX.",
            "https://api.slack.com/apps/A1": "is not the address of an instance",
            "hello": "I don't recognise that.",
        }.items():
            terminal.wait_for("Paste the bot token")
            terminal.type(wrong)
            terminal.wait_for(named)


def test_tokens_that_slack_refuses_are_asked_for_again(ready: Desk) -> None:
    ready.slack.api.grants[APP_TOKEN].scopes = set()
    with ready.init("--no-wait") as terminal:
        terminal.wait_for("Paste the bot token")
        terminal.type(f"xoxb-unknown-to-slack {APP_TOKEN}")
        terminal.wait_for("SLACK_BOT_TOKEN was refused (invalid_auth)")
        terminal.wait_for("may not open connections (missing_scope).")
        terminal.wait_for("connections:write")
        terminal.wait_for("https://api.slack.com/apps/A0BRIDGE/general")
        terminal.wait_for(
            "Paste the bot token (xoxb-) and the app-level token (xapp-):"
        )
        terminal.type(BOT_TOKEN)
        terminal.wait_for("Connected to Sandbox")
        ready.slack.api.grants[APP_TOKEN].scopes = {"connections:write"}
        terminal.wait_for("Paste the app-level token (xapp-):")
        terminal.type(APP_TOKEN)
        terminal.wait_for("Socket Mode works")


def test_a_scope_that_is_missing_is_said_with_the_page(ready: Desk) -> None:
    ready.slack.set_scopes({"commands", "chat:write"})
    with ready.init("--no-wait") as terminal:
        terminal.wait_for("Paste the bot token")
        terminal.type(TOKENS)
        terminal.wait_for("users:read")
        terminal.wait_for("Reinstall to Workspace")
        terminal.wait_for("https://api.slack.com/apps/A0BRIDGE/oauth")
        terminal.wait_for("2 of 3")


def test_a_silent_slack_is_asked_again_on_enter(ready: Desk) -> None:
    with ready.init("--no-wait") as terminal:
        terminal.wait_for("Paste the bot token")
        ready.slack.outage()
        terminal.type(TOKENS)
        terminal.wait_for("or press Enter to try again:")
        ready.slack.outage(is_on=False)
        terminal.type("")
        terminal.wait_for("Connected to Sandbox")
        terminal.wait_for("Socket Mode works")


def test_an_instance_that_is_refused_is_asked_for_again(ready: Desk) -> None:
    ready.green.switches.unknown_instance = 403
    ready.write(**dict(list(KNOWN.items())[:2]))
    with ready.init("--no-wait") as terminal:
        terminal.wait_for("Paste idInstance and apiTokenInstance:")
        terminal.type(f"{ID_INSTANCE} {'0' * 50}")
        terminal.wait_for("refused this token for instance 1101…0001.")
        terminal.wait_for("Paste apiTokenInstance:")
        terminal.type(f"{GREEN_TOKEN} 1101000002")
        terminal.wait_for("refused instance 1101…0002.")
        terminal.wait_for("Paste idInstance:")
        terminal.type(ID_INSTANCE)
        terminal.wait_for("answers at http://127.0.0.1")
        assert terminal.end() == 0


def test_an_address_where_nobody_answers_is_asked_for_again(ready: Desk) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    ready.write(**KNOWN, GREEN_API_URL=nowhere)
    with ready.init("--no-wait", GREEN_API_URL="") as terminal:
        terminal.wait_for(f"was not found at {nowhere}")
        terminal.wait_for("Paste apiUrl, or press Enter to try again:")
        terminal.type(f"{ready.server.url}/waInstance{ID_INSTANCE}/getStateInstance/")
        terminal.wait_for(f"answers at {ready.server.url}.")
        terminal.wait_for("Saved in .env.")
        assert terminal.end() == 0

    assert f"GREEN_API_URL={ready.server.url}\n" in ready.env.read_text()


# --- linking a phone --------------------------------------------------------------


def begin_linking(desk: Desk, *arguments: str, **options: object) -> Terminal:
    desk.switch_on()
    desk.green.set_state("notAuthorized")
    desk.write(**KNOWN)
    return desk.init("--no-wait", *arguments, **options)  # type: ignore[arg-type]


def test_a_code_that_expires_is_not_asked_for_twice(desk: Desk) -> None:
    with begin_linking(desk) as terminal:
        terminal.wait_for("Number (Enter for a QR code):")
        assert terminal.shows_typing()
        terminal.type("12ab")
        terminal.wait_for("I can't read “12ab” as a phone number.")
        terminal.type("+49 151 23456789")
        terminal.wait_for("The code has expired.")
        terminal.wait_for("Show a QR code to scan instead? [Y/n]")
        terminal.type("y")
        terminal.wait_for("▀")
        assert linking.scan(desk.green)
        terminal.wait_for("It is linked to +1 ••••• 0199.")
        assert terminal.end() == 0

    assert desk.calls.count("getAuthorizationCode") == 1


def test_without_a_code_and_without_a_scan_the_values_are_kept(desk: Desk) -> None:
    body = {"status": False, "code": ""}
    desk.green.fault("getAuthorizationCode", status=200, body=body)
    with begin_linking(desk) as terminal:
        terminal.wait_for("Number (Enter for a QR code):")
        terminal.type("+49 151 23456789")
        terminal.wait_for("GREEN-API gave no code.")
        terminal.wait_for("[Y/n]")
        terminal.type("n")
        terminal.wait_for("No phone is linked yet.")
        assert terminal.end() == 1

    assert desk.calls.count("getAuthorizationCode") == 1
    assert "qr" not in desk.calls


def test_a_lost_answer_does_not_ask_for_a_second_code(desk: Desk) -> None:
    desk.green.fault("getAuthorizationCode", drop="after")
    with begin_linking(desk) as terminal:
        terminal.wait_for("Number (Enter for a QR code):")
        terminal.type("+49 151 23456789")
        terminal.wait_for("It is not asked again")

    assert desk.calls.count("getAuthorizationCode") == 1


@pytest.mark.parametrize("no_color", ["", "1"])
def test_the_code_on_the_screen_is_the_one_of_green_api(
    desk: Desk, no_color: str
) -> None:
    with begin_linking(desk, "--qr", NO_COLOR=no_color) as terminal:
        terminal.wait_until(lambda: drawn(terminal.raw, no_color) > 1)  # it changes
        assert linking.scan(desk.green)
        terminal.wait_for("It is linked")
        assert terminal.end() == 0

        assert ("\x1b[30;107m" in terminal.raw) is not bool(no_color)
        assert (
            f"\x1b[{len(PICTURES[0])}A" in terminal.raw
        )  # the second one in the place of the first
        assert "qr.green-api.com" not in terminal.raw
    assert "getAuthorizationCode" not in desk.calls


def drawn(shown: str, no_color: str) -> int:
    """Return how many of the emulator's pictures the screen has shown."""
    turned = {} if no_color else str.maketrans("█▀▄ ", " ▄▀█")
    pictures = [[line.translate(turned) for line in picture] for picture in PICTURES]
    return sum(all(line in shown for line in picture) for picture in pictures)


def test_a_window_that_is_too_small_for_the_code_may_be_made_larger(
    desk: Desk,
) -> None:
    with begin_linking(desk, "--qr", size=(30, 10)) as terminal:
        terminal.wait_for("this one has 30 and 10. Make it larger.")
        terminal.resize(80, 24)
        terminal.wait_for("▀")


def test_an_older_link_is_said_to_be_in_the_way(desk: Desk) -> None:
    error = "Instance has auth. You need to make log out"
    body = {"type": "error", "message": error}
    desk.green.fault("qr", times=None, status=200, body=body)
    with begin_linking(desk, "--qr") as terminal:
        terminal.wait_for("Log it out in the console")
        terminal.wait_for("No phone is linked yet.")
        assert terminal.end() == 1


@pytest.mark.parametrize(
    ("state", "said", "code"),
    [
        ("blocked", "WhatsApp has blocked this number", 1),
        ("suspended", "WhatsApp has limited this number", 0),
        ("sleepMode", "the phone is switched off or without a network", 0),
    ],
)
def test_a_state_that_stops_messages_is_said(
    ready: Desk, state: str, said: str, code: int
) -> None:
    ready.green.set_state(state)
    ready.write(**KNOWN)
    with ready.init("--no-wait") as terminal:
        terminal.wait_for(said)
        assert terminal.end() == code


def test_an_instance_that_is_starting_is_waited_for(ready: Desk) -> None:
    ready.green.set_state("starting")
    ready.write(**KNOWN)
    with ready.init("--no-wait") as terminal:
        terminal.wait_for("left at most")
        ready.green.set_state("authorized")
        terminal.wait_for("It is linked to +1 ••••• 0199.")
        assert terminal.end() == 0


# --- the instance's settings ------------------------------------------------------


def test_settings_stay_when_the_answer_is_no(desk: Desk) -> None:
    desk.write(**KNOWN)
    with desk.init("--no-wait") as terminal:
        terminal.wait_for("Change these now? [Y/n]")
        terminal.type("perhaps")
        terminal.wait_for("Please type y or n.")
        terminal.type("n")
        terminal.wait_for("The rest stays as it is.")
        assert terminal.end() == 0

    assert desk.changes == []


def test_another_programs_address_is_cleared_only_on_a_yes_of_its_own(
    ready: Desk,
) -> None:
    ready.green.apply_settings(
        webhookUrl="https://crm.example.com/hook/c0ffee0secret", stateWebhook="no"
    )
    ready.write(**KNOWN)
    with ready.init("--no-wait", "--yes") as terminal:
        terminal.wait_for("webhookUrl: https://crm.example.com/… → (empty)")
        terminal.wait_for("Clear webhookUrl?")
        terminal.type("")
        terminal.wait_for("It is back, with the new settings.")
        assert terminal.end() == 0
    assert ready.changes == [{"stateWebhook": "yes"}]

    with ready.init("--no-wait") as terminal:
        terminal.wait_for("Clear webhookUrl?")
        terminal.type("y")
        terminal.wait_for("It is back, with the new settings.")
        assert "c0ffee0secret" not in terminal.raw
    assert ready.changes[1:] == [{"webhookUrl": ""}]


def test_settings_that_could_not_be_changed_are_no_end(desk: Desk) -> None:
    desk.green.fault("setSettings", status=500)
    desk.write(**KNOWN)
    with desk.init("--no-wait", "--yes") as terminal:
        terminal.wait_for("They could not be changed")
        assert terminal.end() == 0


# --- the file ---------------------------------------------------------------------


def test_other_lines_stay_and_the_file_before_is_kept(ready: Desk) -> None:
    before = (
        "# our bridge\n"
        "BRIDGE_TTL=30m  # longer\n"
        "export SLACK_BOT_TOKEN='xoxb-old-and-revoked'\n"
        'OTHER_PROGRAM="a b"\n'
        "\n"
        "SLACK_APP_TOKEN=\n"
        "# the end"
    )
    ready.env.write_text(before)
    ready.env.chmod(0o644)
    with ready.init("--no-wait") as terminal:
        terminal.wait_for("SLACK_BOT_TOKEN was refused (invalid_auth)")
        terminal.wait_for("Paste the bot token")
        terminal.type(f"{TOKENS} {INSTANCE}")
        terminal.wait_for("All is set.")
        assert terminal.end() == 0

    assert ready.env.read_text() == (
        "# our bridge\n"
        "BRIDGE_TTL=30m  # longer\n"
        f"export SLACK_BOT_TOKEN={BOT_TOKEN}\n"
        'OTHER_PROGRAM="a b"\n'
        "\n"
        f"SLACK_APP_TOKEN={APP_TOKEN}\n"
        "# the end\n"
        f"GREEN_API_ID_INSTANCE={ID_INSTANCE}\n"
        f"GREEN_API_TOKEN_INSTANCE={GREEN_TOKEN}\n"
    )
    backup = ready.folder / ".env.bak"
    assert backup.read_text() == before
    assert (mode(ready.env), mode(backup)) == (0o600, 0o600)
    assert sorted(p.name for p in ready.folder.iterdir()) == [".env", ".env.bak"]


def test_a_token_is_exchanged_by_running_it_again(ready: Desk) -> None:
    ready.write(**KNOWN)
    with ready.init("--no-wait") as terminal:
        assert terminal.end() == 0
        assert "Paste" not in terminal.text
        assert "Saved" not in terminal.text

    ready.slack.revoke()
    ready.slack.api.grants[NEW_TOKEN] = Grant(
        is_app_level=False, scopes=ready.slack.api.grants[BOT_TOKEN].scopes
    )
    with ready.init("--no-wait") as terminal:
        terminal.wait_for("SLACK_BOT_TOKEN was refused (token_revoked)")
        terminal.wait_for("Paste the bot token (xoxb-):")
        terminal.type(NEW_TOKEN)
        terminal.wait_for("Saved in .env.")
        assert terminal.end() == 0
        assert "new_app=1" not in terminal.text  # no second app is made

    changed = {**KNOWN, "SLACK_BOT_TOKEN": NEW_TOKEN}
    assert ready.env.read_text() == "".join(f"{n}={v}\n" for n, v in changed.items())


def test_a_file_that_others_can_read_is_closed(ready: Desk) -> None:
    ready.write(**KNOWN)
    ready.env.chmod(0o644)
    with ready.init("--no-wait") as terminal:
        assert terminal.end() == 0

    assert mode(ready.env) == 0o600


def test_a_value_that_the_environment_hides_is_said(ready: Desk) -> None:
    ready.write(**KNOWN)
    with ready.init("--no-wait", SLACK_BOT_TOKEN="xoxb-of-the-shell") as terminal:
        terminal.wait_for("Paste the bot token")
        terminal.type(BOT_TOKEN)
        terminal.wait_for("SLACK_BOT_TOKEN is also set in the environment")
        assert terminal.end() == 0


def test_ctrl_c_half_way_leaves_the_file_as_it_was(ready: Desk) -> None:
    ready.write(OTHER="1", SLACK_BOT_TOKEN="xoxb-old-and-revoked")
    before = ready.env.read_bytes()
    with ready.init() as terminal:
        terminal.wait_for("Paste the bot token")
        terminal.type(BOT_TOKEN)  # accepted, and the other one is still missing
        terminal.wait_for("Paste the app-level token")
        terminal.press_ctrl_c()
        terminal.wait_for("Stopped. .env is as it was.")
        assert terminal.end() == 130
        assert terminal.shows_typing()

    assert ready.env.read_bytes() == before
    assert [p.name for p in ready.folder.iterdir()] == [".env"]


def test_ctrl_c_later_keeps_what_was_accepted(ready: Desk) -> None:
    with ready.init("--env-file", "other.env") as terminal:
        terminal.wait_for("Paste the bot token")
        terminal.type(TOKENS)
        terminal.wait_for("Paste idInstance")
        terminal.press_ctrl_c()
        terminal.wait_for("Stopped. What was saved is in other.env;")
        assert terminal.end() == 130

    kept = (ready.folder / "other.env").read_text()
    assert kept == f"SLACK_BOT_TOKEN={BOT_TOKEN}\nSLACK_APP_TOKEN={APP_TOKEN}\n"


def test_a_file_that_cannot_be_written_is_said(ready: Desk) -> None:
    with ready.init("--env-file", "nowhere/.env") as terminal:
        terminal.wait_for("Paste the bot token")
        terminal.type(TOKENS)
        terminal.wait_for("nowhere/.env can't be written (No such file or directory)")
        assert terminal.end() == 1


def test_print_writes_no_file(ready: Desk) -> None:
    printed = ready.folder / "secrets"
    with ready.init("--print", output=printed) as terminal:
        terminal.wait_for("Paste the bot token")
        terminal.type(f"{TOKENS} {INSTANCE}")
        assert terminal.end() == 0

    values = {**KNOWN, "GREEN_API_URL": ready.server.url}
    assert printed.read_text() == "".join(f"{n}={v}\n" for n, v in values.items())
    assert [p.name for p in ready.folder.iterdir()] == ["secrets"]


def test_print_does_not_print_secrets_on_a_screen(ready: Desk) -> None:
    with ready.init("--print") as terminal:
        terminal.wait_for("bridge init --print > FILE")
        assert terminal.end() == 2


# --- without a terminal -----------------------------------------------------------


def without_terminal(
    desk: Desk, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", "init", *arguments],
        cwd=desk.folder,
        env={"PYTHONPATH": str(REPOSITORY), **desk.environment(**more)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("arguments", [[], ["--yes"]])
def test_without_a_terminal_nothing_is_asked(ready: Desk, arguments: list[str]) -> None:
    ended = without_terminal(ready, *arguments)

    assert ended.returncode == 2
    said = " ".join(ended.stderr.split())
    assert "there is no terminal to ask on. Run it in a terminal" in said
    assert ended.stdout == ""


def test_without_a_terminal_and_with_yes_what_is_known_is_checked_and_set(
    desk: Desk,
) -> None:
    ended = without_terminal(desk, "--yes", "--no-wait", **KNOWN)

    assert ended.returncode == 0, ended.stderr
    assert len(desk.changes) == 1
    assert not desk.env.exists()  # it is in the environment already
    assert ended.stdout == ""


# --- the first message ------------------------------------------------------------


def test_silence_is_explained_and_waited_through(ready: Desk) -> None:
    ready.write(**KNOWN)
    client = WebClient(base_url=f"{ready.server.url}/api/")
    another = SocketModeClient(APP_TOKEN, web_client=client)  # a copy elsewhere
    another.connect()
    with ready.init() as terminal:
        terminal.wait_for("I am waiting for it.")
        terminal.wait_for("Another copy of the bridge runs and took it.")
        terminal.wait_for("https://api.slack.com/apps/A0BRIDGE/install-on-team")
        terminal.wait_for("another workspace. This app is in Sandbox.")
        terminal.wait_for("1 other connection uses this app token")
        terminal.wait_for("I go on waiting.")
        another.close()
        ready.slack.wait_for(lambda: ready.slack.socket_mode.connections == 2, PATIENCE)
        ready.command(f"{NUMBER} hello")
        terminal.wait_for("It works")
        assert terminal.end() == 0


def test_a_message_that_fails_is_said_and_the_next_one_waited_for(
    ready: Desk,
) -> None:
    ready.write(**KNOWN)
    with ready.init() as terminal:
        terminal.wait_for("I am waiting for it.")
        ready.green.fault("sendMessage", status=466)
        ready.command(f"{NUMBER} too many")
        terminal.wait_for("It has come: a message to +1 ••••• 0100.")
        terminal.wait_for("Not sent. The GREEN-API plan allows only a few chats")
        terminal.wait_for("I am waiting for another one.")
        ready.command(f"{NUMBER} hello")
        terminal.wait_for("It works")
        assert terminal.end() == 0
        assert "4155550100" not in terminal.raw
        assert "too many" not in terminal.raw


def test_ctrl_c_while_waiting_ends_it_and_keeps_everything(ready: Desk) -> None:
    with ready.init() as terminal:
        terminal.wait_for("Paste the bot token")
        terminal.type(f"{TOKENS} {INSTANCE}")
        terminal.wait_for("I am waiting for it.")
        terminal.press_ctrl_c()
        terminal.wait_for("Stopped. What was saved is in .env")
        assert terminal.end() == 130

    assert ready.env.read_text() == "".join(f"{n}={v}\n" for n, v in KNOWN.items())


def test_a_copy_that_runs_here_already_is_left_alone(ready: Desk) -> None:
    ready.write(**KNOWN)
    store = open_store(f"sqlite:///{ready.folder / 'data' / 'bridge.db'}")
    assert store.database.claim_sole_use()
    with ready.init() as terminal:
        terminal.wait_for("A copy of the bridge runs here already.")
        assert terminal.end() == 0
    store.database.close()
