"""The emulated GREEN-API under a client that nobody here wrote: GREEN-API's own.

Its SDK is no dependency of this project (it sends a message again when an answer is
lost, and writes the token into its log), so it is installed into an environment of
its own.
"""

from __future__ import annotations

import json
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.server import SandboxServer

pytestmark = pytest.mark.e2e

SDK = "whatsapp-api-client-python==0.0.55"

# Prints one JSON object: what the SDK made of the emulator's answers.
USE = """\
import json, sys
from whatsapp_api_client_python.API import GreenAPI

url, id_instance, token = sys.argv[1:]
api = GreenAPI(id_instance, token, host=url)
seen = {}

def note(name, answer):
    seen[name] = [answer.code, answer.data]
    return answer.data

note("state", api.account.getStateInstance())
note("settings", api.account.getSettings())
sent = note("sent", api.sending.sendMessage("14155550100@c.us", "Hello 🎉"))
note("refused", api.sending.sendMessage("14155550100@c.us", ""))
note("check", api.serviceMethods.checkWhatsapp(14155550120))
seen["notifications"] = []
while True:
    received = api.receiving.receiveNotification(5)
    if not received.data:
        break
    seen["notifications"].append(received.data["body"])
    deleted = api.receiving.deleteNotification(received.data["receiptId"])
    assert deleted.data["result"] is True, deleted.data
note("message", api.journals.getMessage("14155550100@c.us", sent["idMessage"]))
note("outgoing", api.journals.lastOutgoingMessages(60))
note("queue", api.queues.showMessagesQueue())
print("\\n" + json.dumps(seen))
"""


@pytest.fixture
def green() -> Iterator[tuple[GreenApiSandbox, str]]:
    green = GreenApiSandbox(speed=100, notifications=True)
    with SandboxServer([green.blueprint()]) as server:
        yield green, server.url


@pytest.fixture
def python(run, tmp_path: Path) -> Path:
    venv.create(tmp_path / "sdk", with_pip=True)
    python = tmp_path / "sdk" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", SDK]
    installed = run(*pip, cwd=tmp_path, PIP_USER="0")
    if installed.returncode != 0:
        pytest.skip(f"GREEN-API's SDK does not install here: {installed.stderr[-300:]}")
    return python


def test_green_apis_own_client_gets_along_with_the_emulator(
    green, python, run, tmp_path
):
    emulator, url = green
    emulator.receive("14155550101@c.us", "When will it arrive?", "Jane")
    (tmp_path / "use.py").write_text(USE, encoding="utf-8")

    used = run(
        *(python, "use.py", url, emulator.id_instance, emulator.token),
        cwd=tmp_path,
        NO_PROXY="*",
        PYTHONUTF8="1",
    )

    assert used.returncode == 0, used.stderr
    seen = json.loads(used.stdout.splitlines()[-1])
    assert seen["state"] == [200, {"stateInstance": "authorized"}]
    assert seen["settings"][0] == 200
    assert seen["settings"][1]["wid"] == "14155550199@c.us"
    assert seen["check"] == [200, {"existsWhatsapp": False}]
    (accepted,) = emulator.ledger
    assert seen["sent"] == [200, {"idMessage": accepted.id}]
    assert (accepted.chat_id, accepted.text) == ("14155550100@c.us", "Hello 🎉")
    assert seen["refused"][0] == 400
    kinds = [body["typeWebhook"] for body in seen["notifications"]]
    assert kinds[0] == "incomingMessageReceived"
    assert kinds[1] == "outgoingAPIMessageReceived"
    assert [
        body["status"]
        for body in seen["notifications"]
        if body["typeWebhook"] == "outgoingMessageStatus"
    ] == ["sent", "delivered", "read"]
    assert seen["message"][1]["textMessage"] == "Hello 🎉"
    assert [each["idMessage"] for each in seen["outgoing"][1]] == [accepted.id]
    assert seen["queue"] == [200, []]
    assert emulator.notifications() == []
