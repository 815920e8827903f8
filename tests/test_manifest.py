"""manifest.yml is the truth on the app's command and scopes; here it is held to it."""

from __future__ import annotations

import ast
import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
import yaml
from slack_sdk import WebClient

from bridge.wording.deliveries import DIRECT_HINT, HELP

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads((ROOT / "tests/manifest.schema.json").read_text("utf-8"))
MANIFEST = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
README = (ROOT / "README.md").read_text("utf-8")

NO_SCOPE: set[str] = set()
HISTORY = {"channels:history", "groups:history", "im:history"}
# Source: the page of each method under https://docs.slack.dev/reference/methods
SCOPES = {
    "apps_connections_open": NO_SCOPE,  # the app token's connections:write
    "auth_test": NO_SCOPE,
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_history": HISTORY,
    "conversations_join": {"channels:join"},
    "conversations_open": {"im:write"},
    "conversations_replies": HISTORY,
    "users_info": {"users:read"},
}
FOR_THE_COMMAND = {"commands"}


def problems(manifest: Any) -> list[str]:
    found = jsonschema.Draft7Validator(SCHEMA).iter_errors(manifest)
    return [error.json_path for error in found]


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the manifest with one value replaced, or removed if it is None."""
    manifest = deepcopy(MANIFEST)
    part: Any = manifest
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for step in way:
        part = part[step] if isinstance(part, list) else part.setdefault(step, {})
    if value is None:
        del part[last]
    else:
        part[last] = value
    return manifest


def test_the_schema_is_a_schema():
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_the_manifest_is_valid():
    assert problems(MANIFEST) == []


COMMAND = "features.slash_commands.0"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("display_information.name", None),
        ("display_information.name", ""),
        ("display_information.name", "x" * 36),
        ("display_information.description", "x" * 141),
        ("display_information.long_description", "too short"),
        ("display_information.background_color", "green"),
        ("features.bot_user", None),
        ("features.bot_user.display_name", "WhatsApp Bridge"),
        ("features.app_home.messages_tab", True),
        ("features.slash_commands", []),
        (f"{COMMAND}.command", "whatsapp"),
        (f"{COMMAND}.command", "/"),
        (f"{COMMAND}.command", "/" + "w" * 32),
        (f"{COMMAND}.description", None),
        (f"{COMMAND}.usage_hint", "x" * 1001),
        (f"{COMMAND}.should_escape", "yes"),
        (f"{COMMAND}.url", "https://example.com/slack/events"),  # Socket Mode has none
        ("features.shortcuts", [{"name": "x" * 25}]),
        ("oauth_config", None),
        ("oauth_config.scopes.bot", ["commands", "commands"]),
        ("oauth_config.scopes.bot", ["Chat:Write"]),
        ("settings.socket_mode_enabled", None),
        ("settings.socket_mode_enabled", False),  # HTTP mode needs an address
        ("settings.interactivity", {}),
        ("settings.event_subscriptions.bot_events", ["message.im", "message.im"]),
        ("socket_mode_enabled", True),  # belongs into settings
    ],
)
def test_a_broken_manifest_is_refused(path, value):
    assert problems(changed(path, value))


def test_the_http_variant_in_the_docs_is_valid():
    manifest = changed(f"{COMMAND}.url", "https://bridge.example.com/slack/events")

    manifest["settings"]["socket_mode_enabled"] = False
    manifest["settings"]["interactivity"]["request_url"] = (
        "https://bridge.example.com/slack/events"
    )

    assert problems(manifest) == []


def methods_called() -> set[str]:
    """Return every Web API method that the bridge's code names."""
    methods = {name for name in dir(WebClient) if "_" in name.strip("_")}
    called = set()
    for path in (ROOT / "bridge").rglob("*.py"):
        if "sandbox" in path.parts:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        named = {
            node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
        }
        called |= {name for name in named & methods if not name.startswith("_")}
    return called


def test_every_web_api_method_we_call_is_in_the_table_of_scopes():
    assert methods_called() == set(SCOPES)


def test_the_scopes_are_those_our_calls_need():
    scopes = MANIFEST["oauth_config"]["scopes"]["bot"]

    assert set(scopes) == FOR_THE_COMMAND.union(*SCOPES.values())


def test_slack_sends_us_the_presses_of_our_buttons():
    assert MANIFEST["settings"]["interactivity"] == {"is_enabled": True}


def test_slack_marks_mentions_and_links_for_us():
    (command,) = MANIFEST["features"]["slash_commands"]

    assert command["should_escape"] is True


def test_what_we_call_ourselves_is_what_the_manifest_says():
    (command,) = MANIFEST["features"]["slash_commands"]

    assert command["command"] in HELP
    assert f"@{MANIFEST['features']['bot_user']['display_name']}" in DIRECT_HINT


def test_the_link_in_the_readme_creates_this_app():
    link = re.search(r"https://api\.slack\.com/apps\?\S+", README)
    assert link is not None

    query = parse_qs(urlsplit(link[0]).query, strict_parsing=True)

    assert query["new_app"] == ["1"]
    assert yaml.safe_load(query["manifest_yaml"][0]) == MANIFEST
    assert len(link[0]) < 2000  # some browsers and proxies cut longer ones
