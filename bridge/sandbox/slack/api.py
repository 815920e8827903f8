"""The Web API: token, scopes, faults, then the method; every call is logged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.sandbox.log import EventLog
from bridge.sandbox.masking import clipped
from bridge.sandbox.slack.call import ApiError, Call, Grant, missing_scope
from bridge.sandbox.slack.chat import Chat
from bridge.sandbox.slack.clock import Threads
from bridge.sandbox.slack.conversations import (
    HISTORY_SCOPES,
    READ_SCOPES,
    Conversations,
)
from bridge.sandbox.slack.faults import Answer, Faults, retry_after
from bridge.sandbox.slack.socket import SocketMode
from bridge.sandbox.slack.workspace import (
    APP_ID,
    BOT_ID,
    BOT_NAME,
    BOT_USER,
    TEAM_ID,
    TEAM_NAME,
    Json,
    Workspace,
)

Hook = Callable[[str, Json], None]

_LOGGED = 8000  # characters of an answer that is no JSON


@dataclass(frozen=True, slots=True)
class _Method:
    run: Callable[[Call], Json]
    scopes: tuple[str, ...] = ()  # any one of them will do
    is_app_level: bool = False
    needs_token: bool = True


class WebApi:
    """``POST /api/<method>`` without the HTTP.

    Attributes:
        grants: What each token may do.
        on_request: Called with method and arguments before anything is done.
        on_reply: Called when the method has run, before the answer leaves.
    """

    def __init__(
        self,
        workspace: Workspace,
        log: EventLog,
        chat: Chat,
        socket_mode: SocketMode,
        threads: Threads,
    ) -> None:
        self.grants: dict[str, Grant] = {}
        self.faults = Faults()
        self.on_request: Hook | None = None
        self.on_reply: Hook | None = None
        self._workspace = workspace
        self._log = log
        self._threads = threads
        self._socket_mode = socket_mode
        self._methods = self._table(chat, Conversations(workspace, log))

    def _table(self, chat: Chat, conversations: Conversations) -> dict[str, _Method]:
        write = ("chat:write",)
        return {
            "api.test": _Method(_api_test, needs_token=False),
            "auth.test": _Method(_auth_test),
            "apps.connections.open": _Method(
                self._open_connection, ("connections:write",), is_app_level=True
            ),
            "chat.postMessage": _Method(chat.post_message, write),
            "chat.update": _Method(chat.update, write),
            "chat.postEphemeral": _Method(chat.post_ephemeral, write),
            "chat.getPermalink": _Method(chat.get_permalink),
            "conversations.info": _Method(conversations.info, READ_SCOPES),
            "conversations.join": _Method(conversations.join, ("channels:join",)),
            "conversations.open": _Method(conversations.open, ("im:write",)),
            "conversations.replies": _Method(conversations.replies, HISTORY_SCOPES),
            "conversations.history": _Method(conversations.history, HISTORY_SCOPES),
            "users.info": _Method(conversations.user_info, ("users:read",)),
        }

    def handle(
        self,
        method: str,
        token: str | None,
        args: Json,
        base_url: str,
        replay_of: int | None = None,
    ) -> Answer:
        """Execute one method and return its answer.

        ``replay_of`` is for the log: the entry of the call that this one repeats.
        """
        return self.guard(
            method,
            args,
            lambda: self._execute(method, token, args, base_url),
            path=f"/api/{method}",
            replay_of=replay_of,
        )

    def guard(
        self,
        method: str,
        args: Json,
        execute: Callable[[], Answer],
        **about: str | int | None,
    ) -> Answer:
        """Run ``execute`` with hooks around it, unless a fault comes first; log it.

        ``about`` goes into the log: its ``path``, and what it is a ``replay_of``.
        """
        began = time.monotonic()
        self._call_hook(self.on_request, method, args)
        fault = self.faults.take(method)
        if fault and fault.delay:
            self._threads.pause(fault.delay)
        if fault and fault.drop == "before":
            answer = Answer(None)
        elif fault and fault.has_answer:
            answer = fault.answer()
        else:
            answer = execute()
            self._call_hook(self.on_reply, method, args)
            if fault and fault.drop == "after":
                answer = Answer(None)
        took = time.monotonic() - began
        self._log_call(method, args, answer, took, by_fault=fault is not None, **about)
        return answer

    def _call_hook(self, hook: Hook | None, method: str, args: Json) -> None:
        if hook is not None:
            hook(method, args)

    def _log_call(
        self, method: str, args: Json, answer: Answer, took: float, **about: Any
    ) -> None:
        body = answer.body
        self._log.append(
            "api_call",
            side="slack",
            direction="out",
            method=method,
            verb="POST",
            status=answer.status if body is not None else None,
            ok=_is_ok(answer),
            error=body.get("error") if isinstance(body, dict) else None,
            ms=round(took * 1000, 1),
            request=args,
            response=clipped(body, _LOGGED),
            **about,
        )

    def _execute(
        self, name: str, token: str | None, args: Json, base_url: str
    ) -> Answer:
        try:
            method = self._find(name)
            grant = self._authorize(method, token)
            call = Call(name, args, grant, self._workspace, base_url)
            with self._workspace.lock:
                body = {"ok": True} | method.run(call)
        except ApiError as error:
            return Answer(error.body, error.status, retry_after(error.retry_after))
        scopes = ",".join(sorted(grant.scopes))
        accepted = ",".join(method.scopes)
        return Answer(
            body, 200, {"x-oauth-scopes": scopes, "x-accepted-oauth-scopes": accepted}
        )

    def _find(self, name: str) -> _Method:
        method = self._methods.get(name)
        if method is None:
            raise ApiError("unknown_method")
        return method

    def _authorize(self, method: _Method, token: str | None) -> Grant:
        if not method.needs_token:
            return Grant(is_app_level=False)
        if not token:
            raise ApiError("not_authed")
        grant = self.grants.get(token)
        if grant is None:
            raise ApiError("invalid_auth")
        if grant.error:
            raise ApiError(grant.error)
        if grant.is_app_level is not method.is_app_level:
            raise ApiError("not_allowed_token_type")
        if method.scopes and not grant.scopes.intersection(method.scopes):
            raise missing_scope(grant, *method.scopes)
        return grant

    def _open_connection(self, call: Call) -> Json:
        ticket = self._socket_mode.issue_ticket()
        host = call.base_url.partition("://")[2]
        return {"url": f"ws://{host}/link/?ticket={ticket}&app_id={APP_ID}"}


def _api_test(call: Call) -> Json:
    args = {name: call.text(name) for name in call.args}
    if error := call.text("error"):
        raise ApiError(error, args=args)
    return {"args": args} if args else {}


def _auth_test(call: Call) -> Json:
    return {
        "url": f"{call.base_url}/",
        "team": TEAM_NAME,
        "user": BOT_NAME,
        "team_id": TEAM_ID,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }


def _is_ok(answer: Answer) -> bool:
    """Whether a call went well: methods say so; a response URL says just "ok"."""
    if isinstance(answer.body, dict):
        return answer.body.get("ok") is True
    return answer.status == 200 and answer.body == "ok"
