"""The port to Slack: the fake and the poster on the emulator behave alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bridge.errors import SlackRefused, SlackUnavailable
from bridge.model import Card, Member, ThreadRef
from bridge.ports import Slack
from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import DEFAULT_SCOPES, SlackSandbox
from bridge.slack import history
from bridge.slack.poster import Poster
from tests.fakes import FakeSlack

CARD = Card("summary", "*headline*", quote="<!channel> & <https://x|y>", footnote="f")
ROOT = replace(CARD, key="1:root")
REPLY = Card("reply", "reply", key="1:reply")


@dataclass
class World:
    """A port, and the messages of a channel as (text, thread)."""

    port: Slack
    shown: Callable[[str], list[tuple[str, bool]]]


@pytest.fixture
def sandbox() -> Iterator[tuple[SlackSandbox, Poster]]:
    slack = SlackSandbox(burst=100)
    with SandboxServer([slack.blueprint()]) as server:
        client = WebClient("xoxb-sandbox", f"{server.url}/api/", retry_handlers=[])
        yield slack, Poster(client)


@pytest.fixture(params=["fake", "poster"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        fake = FakeSlack(
            closed={"C0RANDOM": "not_in_channel", "C0PRIVATE": "channel_not_found"},
            joinable={"C0RANDOM"},
            members={"U0GUEST": Member("Guest", may_send=False)},
        )
        return World(
            fake,
            lambda channel: [
                (line.card.summary, line.thread_ts is not None)
                for line in fake.lines
                if line.channel == channel
            ],
        )
    slack, poster = request.getfixturevalue("sandbox")
    return World(poster, lambda channel: _shown(slack, channel))


@pytest.fixture(params=["fake", "poster"])
def lossy(request: pytest.FixtureRequest) -> tuple[Slack, Callable[[], None]]:
    """Return a port, and what makes its next post lose its answer."""
    if request.param == "fake":
        fake = FakeSlack()
        return fake, lambda: setattr(fake, "lose_answers", 1)
    slack, poster = request.getfixturevalue("sandbox")
    return poster, lambda: slack.fault("chat.postMessage", drop="after")


def _shown(slack: SlackSandbox, channel: str) -> list[tuple[str, bool]]:
    found = []
    for root in slack.messages(channel):
        found += [(m["text"], m["ts"] != root["ts"]) for m in _thread(slack, root)]
    return found


def _thread(slack: SlackSandbox, root: dict[str, Any]) -> list[dict[str, Any]]:
    return list(slack.thread(root.get("channel", "C0SUPPORT"), root["ts"])) or [root]


def test_a_card_opens_a_thread_that_takes_replies(world: World) -> None:
    thread = world.port.post("C0SUPPORT", CARD)

    world.port.reply(thread, Card("reply", "reply"))

    assert world.shown("C0SUPPORT") == [("summary", False), ("reply", True)]


def test_a_line_can_be_rewritten(world: World) -> None:
    thread = world.port.post("C0SUPPORT", CARD)

    world.port.update("C0SUPPORT", thread.thread_ts, Card("new", "new"))

    assert world.shown("C0SUPPORT") == [("new", False)]


def test_a_foreign_public_channel_wants_to_be_joined(world: World) -> None:
    with pytest.raises(SlackRefused, match="not_in_channel"):
        world.port.post("C0RANDOM", CARD)

    world.port.join("C0RANDOM")

    assert world.port.post("C0RANDOM", CARD).channel_id == "C0RANDOM"


def test_a_foreign_private_channel_is_not_there(world: World) -> None:
    with pytest.raises(SlackRefused, match="channel_not_found"):
        world.port.post("C0PRIVATE", CARD)


def test_a_user_has_a_channel_for_direct_messages(world: World) -> None:
    channel_id = world.port.open_direct("U0DANA")

    assert world.port.post(channel_id, CARD).channel_id == channel_id


def test_a_root_card_is_found_by_its_key(world: World) -> None:
    since = datetime.now(UTC)
    thread = world.port.post("C0SUPPORT", ROOT)
    world.port.post("C0SUPPORT", replace(CARD, key="2:root"))

    assert world.port.find("C0SUPPORT", "1:root", since) == thread.thread_ts


def test_a_reply_is_found_in_its_thread_only(world: World) -> None:
    since = datetime.now(UTC)
    thread = world.port.post("C0SUPPORT", ROOT)
    reply_ts = world.port.reply(thread, REPLY)

    assert world.port.find("C0SUPPORT", "1:reply", since) is None
    assert world.port.find("C0SUPPORT", "1:reply", since, thread.thread_ts) == reply_ts


def test_what_was_never_posted_is_not_found(world: World) -> None:
    since = datetime.now(UTC)
    thread = world.port.post("C0SUPPORT", CARD)

    assert world.port.find("C0SUPPORT", "1:root", since) is None
    assert world.port.find("C0SUPPORT", "1:reply", since, thread.thread_ts) is None


def test_a_line_keeps_its_key_when_it_is_rewritten(world: World) -> None:
    since = datetime.now(UTC)
    thread = world.port.post("C0SUPPORT", ROOT)

    world.port.update("C0SUPPORT", thread.thread_ts, replace(ROOT, headline="new"))

    assert world.port.find("C0SUPPORT", "1:root", since) == thread.thread_ts


def test_a_foreign_channel_can_not_be_searched(world: World) -> None:
    with pytest.raises(SlackRefused, match="channel_not_found"):
        world.port.find("C0PRIVATE", "1:root", datetime.now(UTC))


@pytest.mark.parametrize(("user", "may"), [("U0DANA", True), ("U0GUEST", False)])
def test_members_may_send_and_guests_may_not(
    world: World, user: str, may: bool
) -> None:
    assert world.port.member(user).may_send is may


# --- what only the real client can get wrong ----------------------------------------


@pytest.mark.parametrize(
    "user", ["U0GUEST", "U0ULTRA", "U0STRANGER", "U0GONE", "U0BOT2"]
)
def test_nobody_but_a_full_member_may_send(
    sandbox: tuple[SlackSandbox, Poster], user: str
) -> None:
    _, poster = sandbox

    assert not poster.member(user).may_send


def test_a_member_is_asked_for_once_in_five_minutes(
    sandbox: tuple[SlackSandbox, Poster],
) -> None:
    slack, poster = sandbox
    now = 1000.0
    poster._clock = lambda: now

    for _ in range(3):
        poster.member("U0DANA")
        now += 100
    now += 301
    poster.member("U0DANA")

    calls = [e for e in slack.log.since(0, "api_call") if "users.info" in str(e.data)]
    assert len(calls) == 2


def test_foreign_text_is_never_parsed(sandbox: tuple[SlackSandbox, Poster]) -> None:
    slack, poster = sandbox

    poster.post("C0SUPPORT", CARD)

    (message,) = slack.messages("C0SUPPORT")
    assert "<!channel>" not in message["text"]
    kinds = {
        block["text"]["type"]
        for block in message["blocks"]
        if "<!channel>" in json.dumps(block)
    }
    assert kinds == {"plain_text"}


def test_a_lost_answer_is_one_request(sandbox: tuple[SlackSandbox, Poster]) -> None:
    slack, poster = sandbox
    slack.fault("chat.postMessage", drop="after")

    with pytest.raises(SlackUnavailable):
        poster.post("C0SUPPORT", CARD)

    assert len(slack.messages("C0SUPPORT")) == 1


def test_f49_a_card_whose_answer_was_lost_is_found(
    lossy: tuple[Slack, Callable[[], None]],
) -> None:
    port, lose_an_answer = lossy
    since = datetime.now(UTC)
    lose_an_answer()

    with pytest.raises(SlackUnavailable):
        port.post("C0SUPPORT", ROOT)

    assert port.find("C0SUPPORT", "1:root", since) is not None


def test_only_messages_since_then_are_looked_through(
    sandbox: tuple[SlackSandbox, Poster],
) -> None:
    _, poster = sandbox
    thread = poster.post("C0SUPPORT", ROOT)
    now = datetime.now(UTC)

    def found(since: datetime) -> str | None:
        return poster.find("C0SUPPORT", "1:root", since)

    assert found(now + timedelta(seconds=30)) == thread.thread_ts  # clocks differ
    assert found(now + timedelta(seconds=90)) is None


def test_a_card_is_found_below_many_other_messages(
    sandbox: tuple[SlackSandbox, Poster],
) -> None:
    slack, poster = sandbox
    since = datetime.now(UTC)
    thread = poster.post("C0SUPPORT", ROOT)
    for _ in range(history.PAGE + 1):
        slack.say("U0DANA", "C0SUPPORT", "hello")

    assert poster.find("C0SUPPORT", "1:root", since) == thread.thread_ts


def test_a_search_without_an_end_is_no_proof() -> None:
    def page_of(**_: Any) -> Any:
        return {"messages": [], "response_metadata": {"next_cursor": "more"}}

    with pytest.raises(SlackRefused, match="too_many_pages"):
        history.find(page_of, "1:root", datetime.now(UTC))


@pytest.mark.parametrize(
    "metadata",
    [
        {"event_type": "another_app", "event_payload": {"k": "1:root"}},
        {"event_type": "whatsapp_bridge", "event_payload": {"k": 1}},
        {"event_type": "whatsapp_bridge", "event_payload": {}},
    ],
)
def test_other_metadata_is_not_ours(
    sandbox: tuple[SlackSandbox, Poster], metadata: dict[str, Any]
) -> None:
    _, poster = sandbox
    since = datetime.now(UTC)
    poster._client.chat_postMessage(channel="C0SUPPORT", text="x", metadata=metadata)

    assert poster.find("C0SUPPORT", "1:root", since) is None


@pytest.mark.parametrize("thread_ts", [None, "1.000001"])
def test_without_the_scopes_nothing_can_be_looked_up(
    sandbox: tuple[SlackSandbox, Poster], thread_ts: str | None
) -> None:
    slack, poster = sandbox
    slack.set_scopes(s for s in DEFAULT_SCOPES if not s.endswith(":history"))

    with pytest.raises(SlackRefused, match="missing_scope"):
        poster.find("C0SUPPORT", "1:root", datetime.now(UTC), thread_ts)


def test_an_outage_is_no_proof_that_a_card_is_missing(
    sandbox: tuple[SlackSandbox, Poster],
) -> None:
    slack, poster = sandbox
    slack.outage()

    with pytest.raises(SlackUnavailable):
        poster.find("C0SUPPORT", "1:root", datetime.now(UTC))


def test_a_limit_says_how_long(sandbox: tuple[SlackSandbox, Poster]) -> None:
    slack, poster = sandbox
    slack.fault("chat.postMessage", error="ratelimited", status=429, retry_after=17)

    with pytest.raises(SlackUnavailable) as caught:
        poster.post("C0SUPPORT", CARD)

    assert caught.value.retry_after == 17.0


def test_an_outage_is_no_refusal(sandbox: tuple[SlackSandbox, Poster]) -> None:
    slack, poster = sandbox
    slack.outage()

    with pytest.raises(SlackUnavailable):
        poster.post("C0SUPPORT", CARD)


def test_a_revoked_token_is_no_refusal_of_the_message(
    sandbox: tuple[SlackSandbox, Poster],
) -> None:
    slack, poster = sandbox
    slack.revoke()

    with pytest.raises(SlackUnavailable):
        poster.post("C0SUPPORT", CARD)


def test_blocks_that_slack_refuses_are_left_out(
    sandbox: tuple[SlackSandbox, Poster],
) -> None:
    slack, poster = sandbox
    slack.fault("chat.postMessage", error="invalid_blocks")

    poster.post("C0SUPPORT", CARD)

    (message,) = slack.messages("C0SUPPORT")
    assert message["text"] == "summary"


def test_a_long_text_fits_into_a_card(sandbox: tuple[SlackSandbox, Poster]) -> None:
    slack, poster = sandbox

    poster.post("C0SUPPORT", Card("s", "h", quote="x" * 20_000))

    (message,) = slack.messages("C0SUPPORT")
    assert "11,000 more characters" in json.dumps(message)


def test_a_used_up_response_url_is_a_refusal(
    sandbox: tuple[SlackSandbox, Poster],
) -> None:
    slack, poster = sandbox
    slack.fault("response_url", status=404)

    with pytest.raises(SlackRefused):
        poster.respond(f"{poster._client.base_url[:-5]}/commands/T/1/x", "hi")


def test_a_reply_stays_in_its_thread(sandbox: tuple[SlackSandbox, Poster]) -> None:
    _, poster = sandbox

    with pytest.raises(SlackRefused):
        poster.reply(ThreadRef("C0SUPPORT", "1.000001"), CARD)
