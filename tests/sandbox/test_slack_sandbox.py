"""The emulated Web API, response URLs, HTTP mode and control, seen from outside."""

import threading
from contextlib import suppress

import pytest
import requests
from flask import Blueprint, Response, request
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler
from slack_sdk.http_retry.builtin_interval_calculators import (
    FixedValueRetryIntervalCalculator,
)
from slack_sdk.webhook import WebhookClient

from bridge.sandbox.server import SandboxServer
from bridge.sandbox.slack import DEFAULT_SCOPES, Kind, SlackSandbox, User
from bridge.sandbox.slack.blocks import check_blocks
from bridge.sandbox.slack.call import ApiError

READ = ("channels:history", "groups:history", "im:history", "channels:read")


@pytest.fixture
def slack():
    return SlackSandbox(
        burst=100, scopes=(*DEFAULT_SCOPES, *READ), retry_delays=(0, 0.01, 0.01)
    )


@pytest.fixture
def server(slack):
    with SandboxServer([slack.blueprint()]) as server:
        yield server


@pytest.fixture
def client(slack, server):
    return WebClient(slack.bot_token, f"{server.url}/api/", retry_handlers=[])


def refusal(call, *args, **kwargs):
    """Return the body with which Slack refuses this call."""
    with pytest.raises(SlackApiError) as caught:
        call(*args, **kwargs)
    return caught.value.response.data


# -- tokens, scopes, arguments ----------------------------------------------------


def test_auth_test_says_who_we_are_and_what_we_may(client, server):
    answer = client.auth_test()

    assert answer.data == {
        "ok": True,
        "url": f"{server.url}/",
        "team": "Sandbox",
        "user": "whatsapp-bridge",
        "team_id": "T0SANDBOX",
        "user_id": "U0BRIDGE",
        "bot_id": "B0BRIDGE",
        "is_enterprise_install": False,
    }
    scopes = answer.headers["x-oauth-scopes"].split(",")
    assert set(scopes) == {*DEFAULT_SCOPES, *READ}


@pytest.mark.parametrize(
    ("token", "error"),
    [
        (None, "not_authed"),
        ("xoxb-wrong", "invalid_auth"),
        ("xapp-1-A0BRIDGE-sandbox", "not_allowed_token_type"),
    ],
)
def test_a_method_wants_a_bot_token(client, token, error):
    client.token = token

    assert refusal(client.auth_test)["error"] == error


def test_a_token_among_the_arguments_does_not_count(slack, server):
    answer = requests.post(
        f"{server.url}/api/auth.test", {"token": slack.bot_token}, timeout=5
    )

    assert answer.json() == {"ok": False, "error": "not_authed"}


def test_missing_scope_says_what_is_needed_and_what_there_is(slack, client):
    slack.set_scopes(["commands", "im:write"])

    assert refusal(client.chat_postMessage, channel="C0SUPPORT", text="hi") == {
        "ok": False,
        "error": "missing_scope",
        "needed": "chat:write",
        "provided": "commands,im:write",
    }
    assert refusal(client.conversations_info, channel="C0SUPPORT")["needed"] == (
        "channels:read,groups:read,im:read,mpim:read"
    )


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("chat.update", {"channel": "C0SUPPORT", "ts": "1"}),
        ("chat.postEphemeral", {"channel": "C0SUPPORT", "user": "U0DANA"}),
        ("conversations.join", {"channel": "C0SUPPORT"}),
        ("conversations.open", {"users": "U0DANA"}),
        ("conversations.replies", {"channel": "C0SUPPORT", "ts": "1"}),
        ("conversations.history", {"channel": "C0SUPPORT"}),
        ("users.info", {"user": "U0DANA"}),
    ],
)
def test_without_any_scope_there_is_nothing_to_do(slack, client, method, args):
    slack.set_scopes([])

    assert refusal(client.api_call, method, params=args)["error"] == "missing_scope"


@pytest.mark.parametrize("error", ["token_revoked", "account_inactive"])
def test_a_revoked_token_is_dead(slack, client, error):
    slack.revoke(error=error)

    assert refusal(client.auth_test)["error"] == error


def test_an_unknown_method_says_so(client):
    assert refusal(client.api_call, "chat.sing")["error"] == "unknown_method"


def test_api_test_gives_the_arguments_back(client):
    client.token = None

    assert client.api_test(foo="bar")["args"] == {"foo": "bar"}
    assert refusal(client.api_test, error="my_error")["error"] == "my_error"


def test_arguments_may_be_json_a_form_or_a_query(slack, server):
    url = f"{server.url}/api/chat.postMessage"
    headers = {"Authorization": f"Bearer {slack.bot_token}"}
    args = {"channel": "C0SUPPORT", "text": "hi"}

    answers = [
        requests.post(url, json=args, headers=headers, timeout=5).json(),
        requests.post(url, data=args, headers=headers, timeout=5).json(),
        requests.post(url, params=args, headers=headers, timeout=5).json(),
    ]

    assert [answer["ok"] for answer in answers] == [True] * 3
    assert refusal_of(requests.post(url, headers=headers, timeout=5)) == (
        "invalid_arguments"
    )


def refusal_of(response):
    return response.json()["error"]


# -- chat.postMessage -------------------------------------------------------------


def test_a_message_is_posted_and_answered_in_full(slack, client):
    metadata = {"event_type": "wa", "event_payload": {"id": 1}}

    answer = client.chat_postMessage(channel="#support", text="hi", metadata=metadata)

    assert answer["channel"] == "C0SUPPORT"
    seconds, _, fraction = answer["ts"].partition(".")
    assert (len(seconds), len(fraction)) == (10, 6)
    assert answer["message"] == {
        "type": "message",
        "user": "U0BRIDGE",
        "bot_id": "B0BRIDGE",
        "app_id": "A0BRIDGE",
        "team": "T0SANDBOX",
        "text": "hi",
        "ts": answer["ts"],
        "metadata": metadata,
        "bot_profile": {
            "id": "B0BRIDGE",
            "app_id": "A0BRIDGE",
            "name": "whatsapp-bridge",
            "team_id": "T0SANDBOX",
            "deleted": False,
            "updated": 1_700_000_000,
            "icons": {},
        },
    }
    assert slack.messages("C0SUPPORT") == [answer["message"]]


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("C0SUPPORT", None),
        ("C0TEAM", None),
        ("U0DANA", None),
        ("C0RANDOM", "not_in_channel"),
        ("C0PRIVATE", "channel_not_found"),
        ("D0HUMANS", "channel_not_found"),
        ("G0MPIM", "channel_not_found"),
        ("C0OLD", "is_archived"),
        ("C0NOWHERE", "channel_not_found"),
    ],
)
def test_where_the_app_may_post(client, channel, error):
    if error is None:
        assert client.chat_postMessage(channel=channel, text="hi")["ok"]
    else:
        answer = refusal(client.chat_postMessage, channel=channel, text="hi")
        assert answer["error"] == error


def test_with_chat_write_public_any_public_channel_will_do(slack, client):
    slack.set_scopes(["chat:write", "chat:write.public"])

    parent = client.chat_postMessage(channel="C0RANDOM", text="hi")
    client.chat_postMessage(channel="C0RANDOM", text="more", thread_ts=parent["ts"])

    assert len(slack.thread("C0RANDOM", parent["ts"])) == 2


def test_a_dm_needs_the_messages_tab(slack, client):
    slack.chat.messages_tab = False

    answer = refusal(client.chat_postMessage, channel=slack.dm("U0DANA"), text="hi")

    assert answer["error"] == "messages_tab_disabled"


def test_replies_count_and_a_reply_to_a_reply_goes_to_the_parent(slack, client):
    parent = client.chat_postMessage(channel="C0SUPPORT", text="parent")["ts"]
    reply = client.chat_postMessage(channel="C0SUPPORT", text="1", thread_ts=parent)
    nested = client.chat_postMessage(
        channel="C0SUPPORT", text="2", thread_ts=reply["ts"]
    )

    top, *replies = slack.thread("C0SUPPORT", parent)
    assert nested["message"]["thread_ts"] == parent
    assert [each["parent_user_id"] for each in replies] == ["U0BRIDGE"] * 2
    assert (top["thread_ts"], top["reply_count"]) == (parent, 2)
    assert top["latest_reply"] == nested["ts"]
    assert slack.messages("C0SUPPORT") == [top]


def test_a_broadcast_reply_shows_in_the_channel_too(slack, client):
    parent = slack.say("U0DANA", "C0SUPPORT", "Anybody?")["ts"]

    client.chat_postMessage(
        channel="C0SUPPORT", text="yes", thread_ts=parent, reply_broadcast=True
    )

    assert [message["text"] for message in slack.messages("C0SUPPORT")] == [
        "Anybody?",
        "yes",
    ]


def test_an_unknown_thread_is_not_found(client):
    answer = refusal(
        client.chat_postMessage, channel="C0SUPPORT", text="hi", thread_ts="1.2"
    )

    assert answer["error"] == "thread_not_found"


def test_every_ts_is_unique_and_later_than_the_one_before(client):
    stamps = [
        client.chat_postMessage(channel="C0SUPPORT", text="hi")["ts"] for _ in range(9)
    ]

    assert stamps == sorted(set(stamps))


def test_very_long_text_is_cut_off(slack, client):
    answer = client.chat_postMessage(channel="C0SUPPORT", text="x" * 40_001)

    assert len(answer["message"]["text"]) == 40_000
    assert answer["warning"] == "message_truncated"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"text": ""}, "no_text"),
        ({"text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_format"),
        ({"text": "x", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"text": "x", "blocks": "{"}, "invalid_blocks_format"),
        ({"text": "x", "blocks": {"type": "divider"}}, "invalid_blocks_format"),
    ],
)
def test_a_message_slack_would_not_take(client, content, error):
    args = {"channel": "C0SUPPORT"} | content

    answer = refusal(client.api_call, "chat.postMessage", json=args)

    assert answer["error"] == error


def plain(text):
    return {"type": "plain_text", "text": text}


def mrkdwn(text):
    return {"type": "mrkdwn", "text": text}


def button(**parts):
    return {"type": "button", "text": plain("Go"), "action_id": "go"} | parts


def actions(*elements):
    return {"type": "actions", "elements": list(elements)}


GOOD_BLOCKS = [
    {"type": "divider"},
    {"type": "header", "text": plain("x" * 150)},
    {"type": "section", "text": mrkdwn("x" * 3000), "accessory": button()},
    {"type": "section", "fields": [plain("x")] * 10},
    {"type": "context", "elements": [mrkdwn("x")] * 10},
    {
        "type": "context",
        "elements": [{"type": "image", "image_url": "https://x.io", "alt_text": "x"}],
    },
    actions(*[button(value="x" * 2000, url="x" * 3000)] * 25),
    {"type": "image", "image_url": "https://x.io", "alt_text": "x"},
    {"type": "markdown", "text": "*x*"},
    {"type": "rich_text", "elements": []},
]
BAD_BLOCKS = [
    {"type": "header", "text": plain("x" * 151)},
    {"type": "header", "text": mrkdwn("x")},
    {"type": "section"},
    {"type": "section", "text": "x"},
    {"type": "section", "text": mrkdwn("")},
    {"type": "section", "text": mrkdwn("x" * 3001)},
    {"type": "section", "fields": [plain("x")] * 11},
    {"type": "section", "fields": [plain("x" * 2001)]},
    {"type": "section", "text": mrkdwn("x"), "accessory": {}},
    {"type": "context", "elements": []},
    {"type": "context", "elements": [mrkdwn("x")] * 11},
    {"type": "context", "elements": [{"type": "image", "image_url": "https://x.io"}]},
    actions(),
    actions(*[button()] * 26),
    actions(button(text=plain("x" * 76))),
    actions(button(text=mrkdwn("x"))),
    actions(button(value="x" * 2001)),
    actions(button(url="x" * 3001)),
    actions(button(action_id="x" * 256)),
    {"type": "image", "alt_text": "x"},
    {"type": "markdown", "text": ""},
    {"type": "divider", "block_id": "x" * 256},
    {"type": "unheard_of"},
]


@pytest.mark.parametrize("block", GOOD_BLOCKS)
def test_a_block_within_its_limits_is_taken(block):
    assert check_blocks([block]) == [block]


@pytest.mark.parametrize("block", BAD_BLOCKS)
def test_a_block_beyond_its_limits_is_invalid(block):
    with pytest.raises(ApiError) as caught:
        check_blocks([block])

    assert caught.value.body["error"] == "invalid_blocks"
    [message] = caught.value.body["response_metadata"]["messages"]
    assert "json-pointer:/blocks/0" in message


def test_a_message_has_its_blocks_or_is_not_posted_at_all(slack, client):
    posted = client.chat_postMessage(
        channel="C0SUPPORT", text="x", blocks=[{"type": "divider"}]
    )
    refused = refusal(
        client.chat_postMessage, channel="C0SUPPORT", text="x", blocks=BAD_BLOCKS
    )

    assert posted["message"]["blocks"] == [{"type": "divider"}]
    assert refused["error"] == "invalid_blocks"
    assert len(refused["response_metadata"]["messages"]) == len(BAD_BLOCKS)
    assert slack.messages("C0SUPPORT") == [posted["message"]]


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        ([{"type": "divider"}] * 51, "invalid_blocks"),
        ([{"type": "divider", "block_id": "a"}] * 2, "invalid_blocks"),
        ([{"type": "markdown", "text": "x" * 6001}] * 2, "invalid_blocks"),
        ([{"type": "section", "text": mrkdwn("x" * 2700)}] * 5, "msg_blocks_too_long"),
    ],
)
def test_blocks_have_limits_together(blocks, error):
    with pytest.raises(ApiError, match=error):
        check_blocks(blocks)


# -- rate limits ------------------------------------------------------------------


def test_one_message_per_second_and_channel(server, slack, client):
    now = [0.0]
    slack.clock._monotonic = lambda: now[0]
    slack._pace.burst = 1
    client.chat_postMessage(channel="C0SUPPORT", text="1")

    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="C0SUPPORT", text="2")
    elsewhere = client.chat_postMessage(channel="C0TEAM", text="2")
    now[0] = 1.0
    later = client.chat_postMessage(channel="C0SUPPORT", text="2")

    answer = caught.value.response
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert answer.data == {"ok": False, "error": "ratelimited"}
    assert elsewhere["ok"]
    assert later["ok"]


# -- the other chat methods -------------------------------------------------------


def test_an_update_replaces_text_blocks_and_metadata(slack, client):
    divider = [{"type": "divider"}]
    ts = client.chat_postMessage(channel="C0SUPPORT", text="old", blocks=divider)["ts"]

    kept = client.chat_update(channel="C0SUPPORT", ts=ts, blocks=divider, text="new")
    gone = client.chat_update(channel="C0SUPPORT", ts=ts, text="newer")

    assert kept["message"]["blocks"] == divider
    assert "edited" not in kept["message"]
    assert gone["text"] == "newer"
    assert "blocks" not in gone["message"]
    assert gone["message"]["edited"]["user"] == "U0BRIDGE"
    assert slack.messages("C0SUPPORT") == [gone["message"]]
    assert [entry.kind for entry in slack.log.since(kind="update")] == ["update"] * 2


def test_an_update_has_its_refusals(slack, client):
    ours = client.chat_postMessage(channel="C0SUPPORT", text="x")["ts"]
    theirs = slack.say("U0DANA", "C0SUPPORT", "x")["ts"]

    def error(ts, text="y"):
        return refusal(client.chat_update, channel="C0SUPPORT", ts=ts, text=text)[
            "error"
        ]

    assert error("1.2") == "message_not_found"
    assert error(theirs) == "cant_update_message"
    assert error(ours, "x" * 4001) == "msg_too_long"
    slack.archive("C0SUPPORT")
    assert error(ours) == "is_inactive"


def test_an_ephemeral_message_is_for_one_member(slack, client):
    answer = client.chat_postEphemeral(channel="C0SUPPORT", user="U0DANA", text="psst")

    (note,) = slack.ephemerals("U0DANA")
    assert (note["text"], note["ts"]) == ("psst", answer["message_ts"])
    assert slack.messages("C0SUPPORT") == []


@pytest.mark.parametrize(
    ("channel", "user", "error"),
    [
        ("C0TEAM", "U0GUEST", "user_not_in_channel"),
        ("C0RANDOM", "U0DANA", "not_in_channel"),
        ("C0PRIVATE", "U0DANA", "channel_not_found"),
    ],
)
def test_an_ephemeral_message_needs_both_in_the_channel(client, channel, user, error):
    answer = refusal(client.chat_postEphemeral, channel=channel, user=user, text="x")

    assert answer["error"] == error


def test_a_permalink_needs_no_scope_and_knows_the_thread(slack, client, server):
    parent = slack.say("U0DANA", "C0SUPPORT", "x")["ts"]
    reply = slack.say("U0SAM", "C0SUPPORT", "y", parent)["ts"]
    slack.set_scopes([])

    def link(ts):
        return client.chat_getPermalink(channel="C0SUPPORT", message_ts=ts)["permalink"]

    base = f"{server.url}/archives/C0SUPPORT/p"
    assert link(parent) == base + parent.replace(".", "")
    assert link(reply) == (
        f"{base}{reply.replace('.', '')}?thread_ts={parent}&cid=C0SUPPORT"
    )
    answer = refusal(client.chat_getPermalink, channel="C0SUPPORT", message_ts="1.2")
    assert answer["error"] == "message_not_found"


# -- conversations and users ------------------------------------------------------


def test_joining_a_public_channel_lets_the_app_post(slack, client):
    joined = client.conversations_join(channel="C0RANDOM")
    again = client.conversations_join(channel="C0RANDOM")

    assert joined["channel"]["is_member"]
    assert "warning" not in joined.data
    assert again["warning"] == "already_in_channel"
    assert again["response_metadata"] == {"warnings": ["already_in_channel"]}
    assert client.chat_postMessage(channel="C0RANDOM", text="hi")["ok"]


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("C0TEAM", "method_not_supported_for_channel_type"),
        ("C0PRIVATE", "channel_not_found"),
        ("D0HUMANS", "channel_not_found"),
        ("C0OLD", "is_archived"),
    ],
)
def test_what_cannot_be_joined(client, channel, error):
    assert refusal(client.conversations_join, channel=channel)["error"] == error


def test_opening_a_dm_gives_the_same_channel_each_time(slack, client):
    first = client.conversations_open(users="U0DANA")
    second = client.conversations_open(users=["U0DANA"], return_im=True)

    assert first.data == {"ok": True, "channel": {"id": slack.dm("U0DANA")}}
    assert second["already_open"]
    assert second["channel"]["is_im"]
    assert second["channel"]["user"] == "U0DANA"
    assert client.conversations_open(channel=slack.dm("U0DANA"))["ok"]


@pytest.mark.parametrize(
    ("users", "error"),
    [
        ("", "users_list_not_supplied"),
        ("U0NOBODY", "user_not_found"),
        ("U0GONE", "user_disabled"),
        ("U0STRANGER", "user_not_visible"),
        ("U0BOT2", "cannot_dm_bot"),
        ("U0DANA,U0SAM", "missing_scope"),
    ],
)
def test_whom_the_app_cannot_write_to(client, users, error):
    answer = refusal(client.api_call, "conversations.open", params={"users": users})

    assert answer["error"] == error


def test_a_group_dm_needs_its_own_scope(slack, client):
    slack.set_scopes(["im:write", "mpim:write", "mpim:read"])

    group = client.conversations_open(users=["U0DANA", "U0SAM"])["channel"]["id"]

    info = client.conversations_info(channel=group, include_num_members=True)
    assert info["channel"]["is_mpim"]
    assert info["channel"]["num_members"] == 3


def test_info_shows_public_channels_and_hides_private_ones(client):
    channel = client.conversations_info(channel="C0RANDOM")["channel"]

    assert (channel["name"], channel["is_channel"]) == ("random", True)
    assert (channel["is_member"], channel["is_private"]) == (False, False)
    private = refusal(client.conversations_info, channel="C0PRIVATE")
    assert private["error"] == "channel_not_found"
    team = refusal(client.conversations_info, channel="C0TEAM")
    assert (team["error"], team["needed"]) == ("missing_scope", "groups:read")


def test_replies_show_metadata_only_when_asked(slack, client):
    parent = slack.say("U0DANA", "C0SUPPORT", "x")["ts"]
    metadata = {"event_type": "wa", "event_payload": {"id": 1}}
    client.chat_postMessage(
        channel="C0SUPPORT", text="y", thread_ts=parent, metadata=metadata
    )

    def replies(**options):
        answer = client.conversations_replies(channel="C0SUPPORT", ts=parent, **options)
        return answer["messages"]

    assert [message["text"] for message in replies()] == ["x", "y"]
    assert "metadata" not in replies()[1]
    assert replies(include_all_metadata=True)[1]["metadata"] == metadata
    error = refusal(client.conversations_replies, channel="C0SUPPORT", ts="1.2")
    assert error["error"] == "thread_not_found"


def test_history_is_newest_first_without_replies_and_in_pages(slack, client):
    stamps = [slack.say("U0DANA", "C0SUPPORT", f"{n}")["ts"] for n in range(5)]
    slack.say("U0SAM", "C0SUPPORT", "reply", stamps[0])

    pages = [  # slack_sdk asks for the next page when the loop wants it
        ([message["text"] for message in page["messages"]], page["has_more"])
        for page in client.conversations_history(channel="C0SUPPORT", limit=2)
    ]
    between = client.conversations_history(
        channel="C0SUPPORT", oldest=stamps[1], latest=stamps[3], inclusive=True
    )

    assert pages == [(["4", "3"], True), (["2", "1"], True), (["0"], False)]
    assert [m["text"] for m in between["messages"]] == ["3", "2", "1"]


def test_history_is_for_members(client):
    answer = refusal(client.conversations_history, channel="C0RANDOM")

    assert answer["error"] == "not_in_channel"


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        ("U0DANA", {"name": "dana", "real_name": "Dana", "is_bot": False}),
        ("U0GUEST", {"is_restricted": True, "is_ultra_restricted": False}),
        ("U0ULTRA", {"is_restricted": True, "is_ultra_restricted": True}),
        ("U0STRANGER", {"is_stranger": True, "team_id": "T0OTHER"}),
        ("U0GONE", {"deleted": True}),
        ("U0BRIDGE", {"is_bot": True}),
    ],
)
def test_users_info_tells_who_somebody_is(client, user, shown):
    assert shown.items() <= client.users_info(user=user)["user"].items()


def test_an_unknown_user_is_not_found(client):
    assert refusal(client.users_info, user="U0NOBODY")["error"] == "user_not_found"


# -- faults -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ({"error": "internal_error"}, 200, "internal_error"),
        ({"retry_after": 7}, 429, "ratelimited"),
        ({"status": 500, "body": {"ok": False, "error": "fatal_error"}}, 500, None),
    ],
)
def test_a_fault_answers_in_place_of_the_method(slack, client, fault, status, error):
    slack.fault("chat.postMessage", times=2, **fault)

    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            client.chat_postMessage(channel="C0SUPPORT", text="x")
        response = caught.value.response
        assert response.status_code == status
        assert response["error"] == (error or fault["body"]["error"])
    assert slack.messages("C0SUPPORT") == []
    assert client.chat_postMessage(channel="C0SUPPORT", text="x")["ok"]


def test_a_rate_limit_on_order_names_its_seconds(slack, client):
    slack.fault("*", times=None, retry_after=7)

    with pytest.raises(SlackApiError) as caught:
        client.auth_test()

    assert caught.value.response.headers["Retry-After"] == "7"


def test_an_outage_is_a_page_of_html_for_every_method(slack, client, server):
    slack.outage()
    answer = requests.post(f"{server.url}/api/auth.test", timeout=5)
    with pytest.raises(SlackApiError, match="non-JSON"):
        client.auth_test()
    slack.outage(False)

    assert (answer.status_code, answer.headers["Content-Type"]) == (
        503,
        "text/html; charset=utf-8",
    )
    assert client.auth_test()["ok"]


@pytest.mark.parametrize(("drop", "posted"), [("before", 0), ("after", 1)])
def test_a_dropped_connection_may_come_before_or_after_the_work(
    slack, client, drop, posted
):
    slack.fault("chat.postMessage", drop=drop)

    with pytest.raises(ConnectionResetError):
        client.chat_postMessage(channel="C0SUPPORT", text="x")

    assert len(slack.messages("C0SUPPORT")) == posted


def test_slack_sdk_posts_twice_after_a_lost_answer(slack, server):
    at_once = FixedValueRetryIntervalCalculator(0)
    careless = WebClient(
        slack.bot_token,
        f"{server.url}/api/",
        retry_handlers=[ConnectionErrorRetryHandler(interval_calculator=at_once)],
    )
    slack.fault("chat.postMessage", drop="after")

    careless.chat_postMessage(channel="C0SUPPORT", text="x")

    assert len(slack.messages("C0SUPPORT")) == 2


def test_a_slow_answer_outlasts_an_impatient_client(slack, server):
    hasty = WebClient(
        slack.bot_token, f"{server.url}/api/", timeout=0.05, retry_handlers=[]
    )
    slack.fault("chat.postMessage", delay=0.15)

    with pytest.raises(TimeoutError):
        hasty.api_call("chat.postMessage", json={"channel": "C0SUPPORT", "text": "x"})

    assert slack.wait_for(lambda: slack.messages("C0SUPPORT"))


def test_hooks_run_before_the_work_and_before_the_answer(slack, client):
    seen = []
    slack.on_request = lambda method, args: seen.append(
        ("request", method, args["text"], len(slack.messages("C0SUPPORT")))
    )
    slack.on_reply = lambda method, args: seen.append(
        ("reply", method, args["text"], len(slack.messages("C0SUPPORT")))
    )

    client.chat_postMessage(channel="C0SUPPORT", text="x")

    assert seen == [
        ("request", "chat.postMessage", "x", 0),
        ("reply", "chat.postMessage", "x", 1),
    ]


# -- commands over HTTP -----------------------------------------------------------


class Receiver:
    """A Request URL on a server of its own; ``answer`` is what it replies."""

    def __init__(self):
        self.requests = []
        self.answer = lambda: Response("")
        self.blueprint = Blueprint("receiver", __name__)
        self.blueprint.post("/slack/events")(self.receive)

    def receive(self):
        self.requests.append((dict(request.headers), request.get_data(as_text=True)))
        return self.answer()


@pytest.fixture
def receiver(slack, server):
    receiver = Receiver()
    with SandboxServer([receiver.blueprint]) as app_server:
        slack.request_url = f"{app_server.url}/slack/events"
        yield receiver


def test_bolt_takes_a_signed_command(slack, bolt):
    @bolt.command("/whatsapp")
    def send(ack, command, respond):
        ack(f"Sending {command['text']}")
        respond("done", response_type="in_channel")

    command = slack.command(channel="C0PRIVATE", text="a & b")

    assert (command.outcome, command.ephemeral) == ("acked", "Sending a &amp; b")
    slack.wait_for(lambda: len(slack.messages("C0PRIVATE")) == 2)
    assert [m["text"] for m in slack.messages("C0PRIVATE")] == [
        "/whatsapp a & b",
        "done",
    ]


def test_bolt_takes_events_and_the_verification(slack, bolt):
    seen = []

    @bolt.event("message")
    def take(event):
        seen.append(event["text"])

    assert slack.verify_request_url()
    delivery = slack.send_event({"type": "message", "text": "hi", "user": "U0DANA"})
    slack.wait_for(lambda: delivery.is_over)
    slack.wait_for(lambda: seen)

    assert delivery.is_acked
    assert seen == ["hi"]


def test_many_commands_at_once_do_not_get_mixed_up(slack, bolt):
    bolt.command("/whatsapp")(lambda ack, command: ack(command["text"]))
    commands = {}

    def run(text):
        commands[text] = slack.command(text=text)

    threads = [threading.Thread(target=run, args=(f"{n}",)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(text == command.ephemeral for text, command in commands.items())
    assert len({command.response_url for command in commands.values()}) == 10


def test_bolt_refuses_a_wrong_signature(slack, bolt):
    slack.signing_secret = "another"

    assert slack.command().outcome == "dispatch_failed"


@pytest.mark.parametrize(
    ("answer", "outcome", "ephemeral"),
    [
        (lambda: Response(""), "acked", None),
        (lambda: Response("plain"), "acked", "plain"),
        (lambda: {"text": "json"}, "acked", "json"),
        (lambda: {"text": "x", "blocks": [{"type": "no"}]}, "acked", None),
        (lambda: Response("no", 404), "dispatch_failed", None),
        (lambda: Response("no", 500), "dispatch_failed", None),
    ],
)
def test_what_an_http_answer_means(slack, receiver, answer, outcome, ephemeral):
    receiver.answer = answer

    command = slack.command()

    assert (command.outcome, command.ephemeral) == (outcome, ephemeral)


def test_an_answer_after_three_seconds_comes_too_late(slack, receiver):
    slack.clock.speed = 30
    released = threading.Event()
    receiver.answer = lambda: Response("late" if released.wait(5) else "never")

    command = slack.command()
    released.set()

    assert command.outcome == "operation_timeout"
    assert slack.ephemerals("U0DANA") == []


def test_nobody_at_the_request_url_is_dispatch_failed(slack, server):
    with SandboxServer([]) as gone:
        slack.request_url = f"{gone.url}/slack/events"

    assert slack.command().outcome == "dispatch_failed"
    assert not slack.verify_request_url()


def test_an_event_is_posted_again_with_retry_headers(slack, receiver):
    receiver.answer = lambda: Response("", 500)

    delivery = slack.send_event({"type": "team_join"})

    slack.wait_for(lambda: delivery.is_over)
    retries = [
        (headers.get("X-Slack-Retry-Num"), headers.get("X-Slack-Retry-Reason"))
        for headers, _ in receiver.requests
    ]
    assert retries == [
        (None, None),
        ("1", "http_error"),
        ("2", "http_error"),
        ("3", "http_error"),
    ]
    assert len({body for _, body in receiver.requests}) == 1


def test_an_app_can_ask_not_to_be_tried_again(slack, receiver):
    receiver.answer = lambda: Response("", 500, {"x-slack-no-retry": "1"})

    delivery = slack.send_event({"type": "team_join"})

    slack.wait_for(lambda: delivery.is_over)
    assert len(receiver.requests) == 1


def test_without_a_request_url_there_is_nothing_to_verify(slack):
    with pytest.raises(ValueError, match="Socket Mode"):
        slack.verify_request_url()


# -- response URLs ----------------------------------------------------------------


@pytest.fixture
def webhook(slack, receiver):
    return WebhookClient(slack.command(text="hi").response_url, retry_handlers=[])


def test_a_response_url_works_five_times(slack, webhook):
    answers = [webhook.send(text=f"{n}") for n in range(6)]

    assert [(a.status_code, a.body) for a in answers[:5]] == [(200, "ok")] * 5
    assert answers[5].status_code == 404
    assert "used_url" in answers[5].body
    shown = [note["text"] for note in slack.ephemerals("U0DANA")]
    assert shown == ["0", "1", "2", "3", "4"]


def test_a_response_url_works_for_half_an_hour(slack, webhook):
    slack.clock.advance(29 * 60)
    assert webhook.send(text="x").status_code == 200

    slack.clock.advance(2 * 60)
    answer = webhook.send(text="x")

    assert answer.status_code == 404
    assert "expired_url" in answer.body


def test_a_response_url_needs_its_secret(slack, webhook):
    webhook.url = webhook.url[:-1] + "x"

    assert webhook.send(text="x").status_code == 404


def test_what_a_response_url_does_not_take(slack, webhook):
    def body(**options):
        answer = requests.post(webhook.url, timeout=5, **options)
        return answer.status_code, answer.text

    assert body(data="not JSON") == (400, "invalid_payload")
    assert body(json=[]) == (400, "invalid_payload")
    assert body(json={}) == (400, "no_text")
    assert body(json={"text": "x", "thread_ts": "1.2"}) == (400, "thread_not_found")
    assert body(json={"text": "x", "blocks": [{}]}) == (400, "invalid_blocks")


def test_an_answer_replaces_the_one_only_the_user_sees(slack, webhook):
    webhook.send(text="waiting")
    webhook.send(text="done", replace_original=True)

    (note,) = slack.ephemerals("U0DANA")
    assert note["text"] == "done"
    webhook.send_dict({"text": "all", "replace_original": "true"})
    assert [note["text"] for note in slack.ephemerals("U0DANA")] == ["all"]


def test_a_private_answer_never_becomes_public(slack, webhook):
    webhook.send(text="waiting")
    webhook.send(text="done", replace_original=True, response_type="in_channel")

    assert slack.messages("C0SUPPORT") == []


def test_deleting_is_not_supported_for_commands(slack, webhook):
    webhook.send(text="waiting")

    assert webhook.send(delete_original=True).body == "ok"
    assert len(slack.ephemerals("U0DANA")) == 1


def test_a_response_url_reaches_a_thread_where_the_app_is_no_member(slack, receiver):
    parent = slack.say("U0SAM", "D0HUMANS", "hi")["ts"]
    command = slack.command(channel="D0HUMANS")

    WebhookClient(command.response_url).send_dict(
        {"text": "x", "response_type": "in_channel", "thread_ts": parent}
    )

    _, reply = slack.thread("D0HUMANS", parent)
    assert (reply["text"], reply["subtype"]) == ("x", "bot_message")


def test_a_response_url_can_fail_on_order(slack, webhook):
    slack.fault("response_url", status=500)

    assert webhook.send(text="x").status_code == 500
    assert webhook.send(text="x").status_code == 200


# -- what is typed ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "received"),
    [
        ("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"),
        ("@dana, @Sam. @nobody", "<@U0DANA|dana>, <@U0SAM|sam>. @nobody"),
        ("#support #private #none", "<#C0SUPPORT|support> <#C0PRIVATE|> #none"),
        ("see https://a.b/x?y=1&z=2.", "see <https://a.b/x?y=1&amp;z=2>."),
        ("me@dana.io @here", "me@dana.io <!here>"),
        ("one\ntwo :wave:", "one\ntwo :wave:"),
    ],
)
def test_typed_text_is_escaped_as_should_escape_does(slack, receiver, typed, received):
    assert slack.command(text=typed).text == received
    assert slack.command(text=typed, raw=True).text == typed


# -- the log ----------------------------------------------------------------------


def test_api_calls_are_logged_without_tokens(slack, client):
    client.chat_postMessage(channel="C0SUPPORT", text="my xoxb-1-secret")
    refusal(client.users_info, user="U0NOBODY")

    posted, refused = slack.log.since(kind="api_call")
    assert posted.data["method"] == "chat.postMessage"
    assert (posted.data["status"], posted.data["ok"]) == (200, True)
    assert posted.data["ms"] >= 0
    assert posted.data["request"]["text"] == "my xoxb-…"
    assert (refused.data["ok"], refused.data["error"]) == (False, "user_not_found")


def test_waiting_ends_with_the_entry_or_the_time(slack):
    timer = threading.Timer(0.01, slack.say, ("U0DANA", "C0SUPPORT", "hi"))
    timer.start()

    entry = slack.wait(lambda entry: entry.kind == "message")

    timer.join()
    assert entry.data["message"]["text"] == "hi"
    with pytest.raises(TimeoutError, match="message"):
        slack.wait_for(lambda: None, timeout=0.01)


# -- the control API --------------------------------------------------------------


@pytest.fixture
def control(server):
    def call(path, **options):
        url = f"{server.url}/_sandbox/slack/{path}"
        if "json" in options or "data" in options:
            return requests.post(url, timeout=5, **options)
        return requests.get(url, timeout=5, **options)

    return call


def test_say_runs_a_command_or_posts_a_message(slack, receiver, control):
    receiver.answer = lambda: {"text": "Sending"}
    dana = {"user": "U0DANA", "channel": "C0SUPPORT"}

    command = control("say", json=dana | {"text": "/whatsapp a & b"}).json()
    message = control("say", json=dana | {"text": "hello"}).json()["message"]
    refused = control(
        "say", json=dana | {"text": "/whatsapp x", "thread_ts": message["ts"]}
    ).json()
    again = control("redeliver", json={"command_id": command["id"]}).json()

    assert (command["outcome"], command["ephemeral"]) == ("acked", "Sending")
    assert command["text"] == "a &amp; b"
    assert message["text"] == "hello"
    assert refused["outcome"] == "refused"
    assert again["trigger_id"] == command["trigger_id"]
    assert len(receiver.requests) == 2


def test_the_log_can_be_read_on_and_waited_for(slack, control):
    slack.say("U0DANA", "C0SUPPORT", "one")
    slack.say("U0DANA", "C0SUPPORT", "two")

    entries = control("log", params={"since": 1}).json()["entries"]
    waited = control("wait", params={"kind": "message", "since": 1}).json()["entry"]
    nothing = control("wait", params={"kind": "message", "since": 9, "timeout": 0.01})

    assert [entry["data"]["message"]["text"] for entry in entries] == ["two"]
    assert waited == entries[0]
    assert nothing.status_code == 408


def test_control_changes_the_workspace(slack, client, control):
    def post(path, **body):
        assert control(path, json=body).json()["ok"]

    post("user", id="U0EVE", name="eve", real_name="Eve")
    post("channel", channel_id="C0NEW", name="new", kind="channels", members=["U0EVE"])
    post("invite", channel="C0NEW")
    assert client.chat_postMessage(channel="C0NEW", text="hi")["ok"]
    post("kick", channel="C0NEW")
    post("archive", channel="C0SUPPORT")
    post("fault", method="auth.test", error="fatal_error")
    state = control("state").json()

    channels = {channel["id"]: channel for channel in state["channels"]}
    assert channels["C0NEW"]["members"] == ["U0EVE"]
    assert channels["C0NEW"]["messages"][0]["text"] == "hi"
    assert channels["C0SUPPORT"]["is_archived"]
    assert state["faults"][0]["method"] == "auth.test"
    assert "U0EVE" in [user["id"] for user in state["users"]]


def test_control_reaches_the_rest_too(slack, control, receiver):
    assert control("event", json={"event": {"type": "x"}}).json()["event_id"]
    slack.wait(lambda entry: entry.kind == "event")
    assert control("clock", json={"seconds": 60}).json()["now"] >= 60
    assert control("disconnect", json={"reason": "warning"}).json()["ok"]
    assert control("disconnect", json={"reason": "boredom"}).status_code == 400


def test_a_reset_goes_back_to_the_first_day(slack, client, control):
    slack.add_user(User("U0EVE", "eve", "Eve"))
    slack.add_channel("C0NEW", "new", Kind.PUBLIC)
    slack.say("U0DANA", "C0SUPPORT", "hi")
    slack.revoke()
    slack.outage()

    control("reset", json={})

    assert client.auth_test()["ok"]
    assert slack.messages("C0SUPPORT") == []
    assert "U0EVE" not in slack.workspace.users
    assert [entry.kind for entry in slack.log.since()] == ["reset", "api_call"]


def test_only_our_own_page_may_control(server, control):
    own = {"Origin": server.url}
    other = {"Origin": "http://evil.example"}

    assert control("reset", json={}, headers=own).status_code == 200
    assert control("reset", json={}, headers=other).status_code == 403
    assert control("state", headers=other).status_code == 403
    assert control("reset", data="{}").status_code == 415
    assert control("say", json={"text": "hi"}).status_code == 400
    assert control("say", json=[]).status_code == 400


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:80", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
    ],
)
def test_the_server_answers_to_local_names_only(control, host, status):
    assert control("state", headers={"Host": host}).status_code == status


def test_the_server_listens_on_loopback_only():
    with pytest.raises(ValueError, match="loopback"):
        SandboxServer([], host="192.0.2.1")


def test_a_taken_port_is_an_error(server):
    port = int(server.url.rpartition(":")[2])

    with pytest.raises(OSError, match="in use"):
        SandboxServer([], port=port).start()


def test_a_stop_does_not_wait_for_a_long_poll(slack, monkeypatch):
    polling = threading.Event()
    wait = slack.log.wait

    def spy(*args):
        polling.set()
        return wait(*args)

    monkeypatch.setattr(slack.log, "wait", spy)
    server = SandboxServer([slack.blueprint()]).start()
    url = f"{server.url}/_sandbox/slack/wait?kind=message&timeout=60"
    thread = threading.Thread(target=poll, args=(url,))
    thread.start()
    assert polling.wait(5)

    server.stop()

    thread.join(5)
    assert not thread.is_alive()


def poll(url):
    with suppress(requests.RequestException):
        requests.get(url, timeout=30)
