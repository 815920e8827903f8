"""“Copy as test”: what was done since the last reset, as a pytest function.

The test does the same through the control API of a sandbox that runs, and waits after
each step for what came of it then. It needs nothing but the standard library, so it
may be pasted into any file of tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from bridge.sandbox.log import Entry, EventLog
from bridge.sandbox.page.fields import Mistake

_SKIPPED: Final = frozenset({"clock"})  # a test has a pace of its own
# Ids, and spans of time: another run has others.
_VARIES: Final = re.compile(r"3EB0[0-9A-F]{8}|\b[0-9a-f]{8}\b|\d(\.\d+)? ?m?s\b")

_HEAD: Final = '''\
def test_the_last_steps():
    """Needs a sandbox that runs: start `bridge demo` first."""
    import json
    import os
    import time
    import urllib.request

    page = os.environ.get("BRIDGE_SANDBOX_URL", "{url}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
    used = set()
    headers = {{"Content-Type": "application/json"}}

    def call(path, body=None):
        request = urllib.request.Request(
            f"{{page}}/_sandbox/{{path}}",
            None if body is None else json.dumps(body).encode(),
            headers,
        )
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)

    def log(kind):
        return call(f"log?kind={{kind}}")["entries"]

    def until(look, what):
        ends_at = time.monotonic() + 60
        while not (found := look()):
            assert time.monotonic() < ends_at, f"not seen: {{what}}"
            time.sleep(0.05)
        return found

    def do(action, **body):
        call(action, body)
        until(lambda: not call("state")["notifications"], "the bridge taking its news")

    def fits(wanted, given):
        if not isinstance(wanted, dict):
            return wanted == given
        return all(fits(wanted[name], given.get(name)) for name in wanted)

    def see(kind, **wanted):
        def find():
            for entry in log(kind):
                if entry["seq"] not in used and fits(wanted, entry["data"]):
                    used.add(entry["seq"])
                    return True

        until(find, f"{{kind}} {{wanted}}")

'''
_POSTED: Final = """\
    def posted(number):
        def find():
            messages = [entry["data"]["message"] for entry in log("message")]
            parents = [each["ts"] for each in messages if "thread_ts" not in each]
            return parents[number:]

        return until(find, f"message {number}")[0]

"""
_BUTTON: Final = """\
    def button(action_id, number):
        def find():
            entries = sorted(log("message") + log("update"), key=lambda e: e["seq"])
            messages = [entry["data"]["message"] for entry in entries]
            name = json.dumps(action_id)
            those = [m["ts"] for m in messages if name in json.dumps(m.get("blocks"))]
            return list(dict.fromkeys(those))[number:]

        return until(find, f"button {action_id}")[0]

"""


def copied_test(log: EventLog, url: str) -> str:
    """Return a test of what was done since the last reset.

    Raises:
        Mistake: nothing was.
    """
    entries = log.since()
    steps = [
        index
        for index, entry in enumerate(entries)
        if entry.kind == "step" and entry.data["action"] not in _SKIPPED
    ]
    if not steps:
        raise Mistake("There is nothing to copy yet. Type a command first.")
    body = ['    headers["X-Sandbox-Token"] = call("token")["token"]']
    body += ['    call("reset", {})', '    call("clock", {"speed": 10})']
    for start, end in zip(steps, [*steps[1:], len(entries)], strict=True):
        body += ["", f"    {_do(entries[start], entries)}"]
        body += [f"    {line}" for line in _seen(entries[start + 1 : end])]
    body += ["", *_in_the_end(entries)]
    text = "\n".join(body) + "\n"
    helpers = _POSTED * ("posted(" in text) + _BUTTON * ("button(" in text)
    return _HEAD.format(url=url) + helpers + text


def _do(step: Entry, entries: list[Entry]) -> str:
    given = dict(step.data["body"])
    words = {name: _literal(value) for name, value in given.items()}
    if "thread_ts" in given:
        words["thread_ts"] = _parent(given["thread_ts"], entries)
    if "message_ts" in given:
        words["message_ts"] = _button(given, entries)
    return _line("do", step.data["action"], words)


def _parent(ts: str, entries: list[Entry]) -> str:
    """Return how a test finds the message that was answered: by its number."""
    messages = [e.data["message"] for e in entries if e.kind == "message"]
    parents = [each["ts"] for each in messages if "thread_ts" not in each]
    return f"posted({parents.index(ts)})" if ts in parents else _literal(ts)


def _button(given: dict[str, Any], entries: list[Entry]) -> str:
    """Return how a test finds the message whose button was pressed."""
    action_id, ts = given["action_id"], given["message_ts"]
    shown = [e.data["message"] for e in entries if e.kind in ("message", "update")]
    those = [m["ts"] for m in shown if action_id in _action_ids(m)]
    distinct = list(dict.fromkeys(those))
    if ts not in distinct:
        return _literal(ts)
    return f"button({_literal(action_id)}, {distinct.index(ts)})"


def _action_ids(message: dict[str, Any]) -> Iterator[str]:
    for block in message.get("blocks", []):
        for element in block.get("elements", []):
            if isinstance(element, dict) and "action_id" in element:
                yield element["action_id"]


def _seen(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        wanted = _wanted(entry)
        if wanted is not None:
            words = {name: _literal(value) for name, value in wanted.items()}
            yield _line("see", entry.kind, words)


def _wanted(entry: Entry) -> dict[str, Any] | None:
    """Return what another run shows just so; None when nothing of it must."""
    data = entry.data
    match entry.kind:
        case "ephemeral" | "refusal" if not _VARIES.search(data["text"]):
            return {"text": data["text"]}
        case "accepted" | "incoming":
            return {"chat_id": data["chat_id"], "text": data["text"]}
        case "status":
            return {"chat_id": data["chat_id"], "status": data["status"]}
        case "api_call" if _is_ordered_failure(data):
            return {"method": data["method"], "status": data["status"]}
        case _:
            return None


def _is_ordered_failure(data: dict[str, Any]) -> bool:
    return (
        data["method"] == "sendMessage"
        and data["by_fault"]
        and data["status"] != 200
        and data["replay_of"] is None
    )


def _in_the_end(entries: list[Entry]) -> list[str]:
    """Return the lines that make sure that nothing was sent twice."""
    sent = sorted(
        (e.data["chat_id"], e.data["text"]) for e in entries if e.kind == "accepted"
    )
    lines = [f"        ({_literal(chat)}, {_literal(text)})," for chat, text in sent]
    return [
        '    accepted = [entry["data"] for entry in log("accepted")]',
        '    sent = [(each["chat_id"], each["text"]) for each in accepted]',
        "    assert sorted(sent) == [" + ("" if lines else "]"),
        *lines,
        *(["    ]"] if lines else []),
    ]


def _line(function: str, first: str, words: dict[str, str]) -> str:
    rest = "".join(f", {name}={value}" for name, value in words.items())
    return f"{function}({_literal(first)}{rest})"


def _literal(value: object) -> str:
    """Return a value as Python writes it, in double quotes where that is simple.

    >>> print(_literal("¡olé!"), _literal("it's"), _literal(True))
    "¡olé!" "it's" True
    """
    text = repr(value)
    if isinstance(value, str) and text.startswith("'") and '"' not in text:
        return f'"{text[1:-1]}"'
    return text
