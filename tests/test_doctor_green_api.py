"""What the doctor says of GREEN-API: each finding made on purpose, its text read."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.doctor import green_api
from bridge.doctor.findings import State
from bridge.doctor.green_api import Instance, check_api_url, check_instance
from bridge.doctor.webhook import check_webhook
from bridge.doctor.wishes import NOTIFICATIONS, Wishes, changes, differences
from bridge.errors import Retryable
from bridge.reasons import Reason
from bridge.whatsapp.console import Console
from tests.examination import look, look_at_all
from tests.harness import (
    GREEN_TOKEN,
    WEBHOOK_TOKEN,
    World,
    at_the_post,
    free_port,
    make_world,
    open_world,
)
from tests.raw_server import RawServer, reply, says

CONSOLE = "https://console.green-api.com"
ON = dict.fromkeys(NOTIFICATIONS, "yes")
PUBLIC = "https://bridge.example.com/green-api/webhook"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("green"), notifications=True) as world:
        yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    shared.heal()
    yield shared
    shared.green.reset()
    shared.green.apply_settings(webhookUrl="", webhookUrlToken="", **ON)


def test_all_is_well_with_an_instance_that_is_set_up(world: World) -> None:
    findings = look_at_all(world, "green")

    found = {f.check: (f.state, f.fact) for f in findings}
    assert found["api-url"] == (State.OK, "127.0.0.1: this machine")
    assert found["instance"] == (State.OK, "1101…0001 authorized")
    assert found["account"] == (State.OK, "+1 ••••• 0199")
    assert found["settings"] == (
        State.OK,
        "as polling needs them; one message every 500 ms",
    )
    assert found["receiving"][0] is State.OK
    assert found["webhook"] == (State.SKIPPED, "not used")
    assert GREEN_TOKEN not in str(findings)


# --- the address --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "state", "words"),
    [
        ("7105.api.greenapi.com", State.OK, "7105.api.greenapi.com"),
        ("api.green-api.com", State.OK, "the apiUrl in the console may be quicker"),
        ("7103.api.greenapi.com", State.WARNING, "for instances that begin with 7103"),
    ],
)
def test_the_address_has_to_be_that_of_the_instance(
    host: str, state: State, words: str
) -> None:
    finding = check_api_url(f"https://{host}/", "7105123421", is_proxied=True)

    assert finding.state is state
    assert words in finding.fact
    assert finding.link == (None if state is State.OK else CONSOLE)


def test_an_address_that_can_not_be_found() -> None:
    name = f"{'x' * 64}.example"  # longer than any name can be: nobody is asked

    finding = check_api_url(f"https://{name}/", "7105123421", is_proxied=False)

    assert (finding.state, finding.fact) == (State.PROBLEM, f"{name} can't be found")


# --- the instance -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "how", "happened", "to_do"),
    [
        ("notAuthorized", State.PROBLEM, "logged out", "Link the phone again"),
        ("blocked", State.PROBLEM, "blocked this number", "Appeal in the WhatsApp app"),
        ("yellowCard", State.PROBLEM, "limited this number", "Send less"),
        ("suspended", State.PROBLEM, "limited this number", "Send less"),
        ("starting", State.WARNING, "just starting", "Wait: it may take 5 minutes"),
        ("sleepMode", State.WARNING, "switched off", "Switch the phone on"),
    ],
)
def test_each_state_has_a_sentence_and_an_action(
    world: World, state: str, how: State, happened: str, to_do: str
) -> None:
    world.green.set_state(state)

    finding = look(world, "instance")

    assert finding.state is how
    assert finding.fact.startswith(f"1101…0001 {state}: ")
    assert happened in finding.fact
    assert (finding.fix or "").startswith(to_do)
    assert finding.link == CONSOLE


def test_a_state_that_is_new_to_the_bridge_is_no_reason_to_stop() -> None:
    finding = check_instance(Instance("pendingPassword"), "1101000001")

    assert finding.state is State.WARNING
    assert finding.fact.endswith("the bridge does not know: pendingPassword")


def test_an_instance_that_starts_for_too_long_wants_a_reboot() -> None:
    starting = Instance("starting")

    soon = check_instance(starting, "1101000001", timedelta(minutes=4))
    late = check_instance(starting, "1101000001", timedelta(minutes=6))

    assert soon.state is State.WARNING
    assert (late.state, late.fix) == (State.PROBLEM, "Reboot it in the console, once.")
    assert late.fact.endswith("just starting, for 6 min")


@pytest.mark.parametrize(
    ("status", "words", "to_do"),
    [
        (401, "refused the bridge's token (refused_token)", "Copy apiTokenInstance"),
        (403, "refused the bridge's instance", "Compare GREEN_API_ID_INSTANCE and"),
        (404, "not at the configured address", "Copy apiUrl from the console"),
        (500, "had an internal error (server_error)", "Look at the instance"),
    ],
)
def test_a_refusal_says_which_setting_is_wrong(
    world: World, status: int, words: str, to_do: str
) -> None:
    world.green.fault("getStateInstance", status=status)

    finding = look(world, "instance")

    assert finding.state is State.PROBLEM
    assert words in finding.fact
    assert (finding.fix or "").startswith(to_do)


def test_a_green_api_that_can_not_be_reached(world: World) -> None:
    findings = look_at_all(
        world, "green", GREEN_API_URL=f"http://127.0.0.1:{free_port()}"
    )

    found = {f.check: f for f in findings}
    assert found["instance"].state is State.PROBLEM
    assert "GREEN-API can't be reached (unreachable)" in found["instance"].fact
    for check in ("account", "settings", "receiving"):
        assert found[check].fact == "not asked: see instance"


def test_one_question_too_many_a_second_is_asked_again(world: World) -> None:
    world.green.fault("getStateInstance", status=429)

    assert look(world, "instance").state is State.OK


def test_a_limit_that_stays_is_said_to_pass() -> None:
    busy = Instance(error=Retryable(Reason.RATE_LIMITED))

    finding = check_instance(busy, "1101000001")

    assert (finding.state, finding.fix) == (
        State.WARNING,
        "Run this again in a minute.",
    )


@pytest.mark.parametrize(
    ("body", "state", "fact"),
    [
        ({"phone": ""}, State.SKIPPED, "no number is linked"),
        (
            {"phone": "4915123456789", "suspendedUntil": 1_800_000_000},
            State.WARNING,
            "+49 ••••• 6789, limited by WhatsApp until 2027-01-15 08:00 UTC",
        ),
    ],
)
def test_the_account_is_shown_in_part(
    world: World, body: object, state: State, fact: str
) -> None:
    world.green.fault("getWaSettings", status=200, body=body)

    finding = look(world, "account")

    assert (finding.state, finding.fact) == (state, fact)


def test_an_account_that_green_api_does_not_tell_is_no_problem(world: World) -> None:
    world.green.fault("getWaSettings", status=403)

    assert look(world, "account").fact == "GREEN-API does not say (refused_instance)"


# --- the settings -------------------------------------------------------------------


def test_notifications_that_are_off_say_what_is_lost(world: World) -> None:
    world.green.apply_settings(outgoingWebhook="no", stateWebhook="no")

    finding = look(world, "settings")

    assert finding.state is State.WARNING
    assert finding.fact.splitlines() == [
        "outgoingWebhook is off: no ticks will ever arrive",
        "stateWebhook is off: a logged-out phone is noticed a minute late",
    ]
    assert finding.is_mendable
    assert finding.fix == (
        "bridge doctor --fix (restarts the instance, up to 5 minutes)"
    )


def test_polling_wants_no_webhook_and_does_not_show_a_foreign_one(
    world: World,
) -> None:
    world.green.apply_settings(webhookUrl="https://n8n.example.com/s3cret?key=4711")

    settings, receiving = look_at_all(world, "settings", "receiving")

    assert settings.state is State.PROBLEM
    assert settings.fact == (
        "webhookUrl is https://n8n.example.com/…: another program gets the "
        "notifications; polling gets none"
    )
    assert receiving.state is State.PROBLEM
    assert "its webhookUrl is set" in receiving.fact


def test_settings_that_green_api_does_not_tell(world: World) -> None:
    world.green.fault("getSettings", status=500)

    finding = look(world, "settings")

    assert finding.fact == "GREEN-API does not tell them (server_error)"
    assert finding.state is State.SKIPPED


def test_a_setting_that_an_instance_does_not_have_is_not_asked_for() -> None:
    found = {"outgoingWebhook": "yes", "incomingWebhook": True}

    assert differences(found, Wishes("polling")) == []


def test_a_bridge_that_receives_nothing_still_reads_the_journal() -> None:
    found = dict.fromkeys(NOTIFICATIONS, "no")

    (difference,) = differences(found, Wishes("off"))

    assert difference.key == "outgoingAPIMessageWebhook"


@pytest.mark.parametrize(
    ("found", "key", "change"),
    [
        ({"webhookUrl": ""}, "webhookUrl", {}),
        ({"webhookUrl": "https://b.example.com/other"}, "webhookUrl", {}),
        (
            {"webhookUrl": PUBLIC, "webhookUrlToken": "old"},
            "webhookUrlToken",
            {"webhookUrlToken": WEBHOOK_TOKEN},
        ),
    ],
)
def test_webhook_mode_wants_its_address_and_its_token(
    found: Mapping[str, object], key: str, change: Mapping[str, object]
) -> None:
    (difference,) = differences(found, Wishes("webhook", WEBHOOK_TOKEN))

    assert (difference.key, difference.is_broken) == (key, True)
    assert changes([difference]) == change
    shown = f"{difference} {difference.fact()} {difference!r}"
    assert WEBHOOK_TOKEN not in shown
    assert "old" not in shown.replace("hold", "")


def test_webhook_mode_is_content_with_the_right_ones() -> None:
    found = {"webhookUrl": PUBLIC, "webhookUrlToken": f"Bearer {WEBHOOK_TOKEN}"}

    assert differences(found, Wishes("webhook", WEBHOOK_TOKEN)) == []


def test_a_queue_that_is_slower_than_recommended_is_told() -> None:
    found = {"delaySendMessagesMilliseconds": 600_000}

    (difference,) = differences(found, Wishes("off"))

    assert difference.fact().startswith("delaySendMessagesMilliseconds is 600000: ")
    assert changes([difference]) == {}


# --- receiving ----------------------------------------------------------------------


def test_looking_for_notifications_deletes_none(world: World) -> None:
    world.green.receive("4915123456789@c.us", "Where is my parcel?")
    waiting = world.green.notifications()

    finding = look(world, "receiving")

    assert finding.state is State.OK
    assert "can be fetched" in finding.fact
    assert world.green.notifications() == waiting


def test_a_running_bridge_is_not_robbed_of_its_notifications(tmp_path: Path) -> None:
    with open_world(tmp_path, notifications=True) as world:
        while_it_runs = look(world, "receiving")
        world.bridge.kill()
        afterwards = look(world, "receiving")

    assert "can be fetched" not in while_it_runs.fact  # nobody tried
    assert "can be fetched" in afterwards.fact


@pytest.mark.parametrize(
    ("count", "is_polled", "state", "fact"),
    [
        (0, True, State.OK, "0 waiting"),
        (7, False, State.OK, "7 waiting; can be fetched"),
        (51, True, State.WARNING, "51 notifications wait although the bridge runs"),
        (51, False, State.OK, "51 waiting; can be fetched"),
    ],
)
def test_a_queue_that_grows_while_the_bridge_runs_is_told(
    count: int, is_polled: bool, state: State, fact: str
) -> None:
    answers = {"getWebhooksCount": {"count": count}, "receiveNotification": None}
    with RawServer(by_method(answers)) as server:
        finding = green_api.check_receiving(console(server.url), is_polled=is_polled)

    assert (finding.state, finding.fact) == (state, fact)
    assert is_polled is ("receiveNotification" not in str(server.requests))


def test_the_count_may_stand_under_any_name() -> None:
    cyrillic = b'{"\\u0441ount": 3}'  # as GREEN-API's page once printed it
    with RawServer(says(reply(cyrillic))) as server:
        assert console(server.url).waiting_notifications() == 3


def test_where_the_queue_is_not_counted_nothing_is_claimed() -> None:
    with RawServer(says(reply(b"", "403 Forbidden"))) as server:
        finding = green_api.check_receiving(console(server.url), is_polled=True)

    assert finding.state is State.SKIPPED


def test_notifications_that_can_not_be_fetched_for_now(world: World) -> None:
    world.green.fault("receiveNotification", status=500)

    finding = look(world, "receiving")

    assert finding.state is State.WARNING
    assert finding.fact == (
        "no notification could be fetched: GREEN-API had an internal error"
    )


@pytest.mark.parametrize("how", ["webhook", "off"])
def test_nothing_is_fetched_where_nothing_is_polled(world: World, how: str) -> None:
    finding = look(world, "receiving", GREEN_API_RECEIVE=how)

    assert finding.fact == f"GREEN_API_RECEIVE is {how}: nothing is fetched"


def console(url: str) -> Console:
    return Console("1101000001", GREEN_TOKEN, url)


def by_method(answers: Mapping[str, object]) -> Any:
    """Answer each method of GREEN-API with its JSON."""

    def answer(server: RawServer, sock: socket.socket) -> None:
        (method,) = re.findall(rb"/waInstance\d+/(\w+)/", server.requests[-1])
        server.send(sock, reply(json.dumps(answers[method.decode()]).encode()))

    return answer


# --- webhook mode -------------------------------------------------------------------


def test_the_public_address_leads_to_the_bridge(tmp_path: Path) -> None:
    hook = {
        "GREEN_API_RECEIVE": "webhook",
        "GREEN_API_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
    }
    with open_world(tmp_path, notifications=True, **hook) as world:
        url = f"http://127.0.0.1:{world.bridge.port}/green-api/webhook"
        world.green.apply_settings(webhookUrl=url, webhookUrlToken=WEBHOOK_TOKEN)

        findings = look_at_all(world, "settings", "webhook")

        assert [f.state for f in findings] == [State.OK, State.OK]
        assert findings[1].fact == (
            f"http://127.0.0.1:{world.bridge.port}/… leads to the bridge and asks for "
            "the token"
        )
        assert world.rows("SELECT * FROM dead_letters") == []


@pytest.mark.parametrize(
    ("status", "is_running", "state", "words"),
    [
        ("200 OK", True, State.PROBLEM, "takes notifications from anybody"),
        ("404 Not Found", True, State.PROBLEM, "answers 404, not 401"),
        ("502 Bad Gateway", True, State.PROBLEM, "answers 502, not 401"),
        ("502 Bad Gateway", False, State.WARNING, "the bridge does not run"),
        ("302 Found", True, State.PROBLEM, "answers 302, not 401"),
    ],
)
def test_an_address_that_leads_elsewhere(
    status: str, is_running: bool, state: State, words: str
) -> None:
    with RawServer(says(reply(b"", status))) as server:
        url = f"{server.url}/green-api/webhook"
        finding = check_webhook(url, is_running=is_running)

    assert finding.state is state
    assert words in finding.fact


def test_a_public_address_that_nobody_answers_or_nobody_trusts() -> None:
    silent = check_webhook(f"http://127.0.0.1:{free_port()}/x", is_running=True)
    with RawServer(says(reply(b"")), cert="expired.pem") as server:
        distrusted = check_webhook(f"{server.url}/x", is_running=True)

    assert "can't be reached from here (ConnectionError)" in silent.fact
    assert "is not valid" in distrusted.fact


def test_an_address_that_is_not_the_bridges_is_not_called(world: World) -> None:
    hook = {
        "GREEN_API_RECEIVE": "webhook",
        "GREEN_API_WEBHOOK_TOKEN": WEBHOOK_TOKEN,
    }
    world.green.apply_settings(webhookUrl="https://n8n.example.com/hook")

    finding = look(world, "webhook", **hook)

    assert finding.fact == "not tried: see settings"


# --- the plan -----------------------------------------------------------------------


def test_a_plan_whose_chats_are_used_up_is_told(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        assert look(world, "plan").state is State.OK
        world.green.on_request = at_the_post(lambda: None)
        world.green.fault(status=466)
        room = world.room("U0DANA")
        world.type(room, f"{world.number()} one chat too many")
        world.settle(room)

        finding = look(world, "plan")

    assert finding.state is State.WARNING
    assert finding.fact.startswith(
        "1 message was refused in the last 30 days because the plan's chats were used "
    )
    assert finding.link == CONSOLE
