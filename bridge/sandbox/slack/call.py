"""One call of a Web API method: who calls, with which arguments, what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from bridge.sandbox.slack.workspace import Channel, Json, Kind, Workspace


class ApiError(Exception):
    """An answer ``{"ok": false, "error": code, …}``."""

    def __init__(
        self,
        code: str,
        *,
        status: int = 200,
        retry_after: int | None = None,
        **more: Any,
    ) -> None:
        super().__init__(code)
        self.body: Json = {"ok": False, "error": code} | more
        self.status = status
        self.retry_after = retry_after  # seconds


@dataclass(slots=True)
class Grant:
    """What a token may do. ``error`` is set once the token is dead."""

    is_app_level: bool
    scopes: set[str] = field(default_factory=set)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A method being executed.

    ``args`` are those of query and body; values are JSON's types when the body was
    JSON, and strings when it was a form.
    """

    method: str
    args: Json
    grant: Grant
    workspace: Workspace
    base_url: str  # as the client addressed us, without a slash at the end

    def text(self, name: str, default: str = "") -> str:
        """Return a string argument; numbers become strings."""
        value = self.args.get(name)
        return default if value is None else str(value)

    def required(self, name: str) -> str:
        """Return a string argument that must be there."""
        if not (value := self.text(name)):
            raise missing(name)
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean argument; forms say 1 or true."""
        return self.text(name).lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        """Return a whole number."""
        try:
            return int(self.text(name, str(default)))
        except ValueError:
            raise ApiError("invalid_arguments") from None

    def structure(self, name: str, error: str) -> Any:
        """Return a JSON argument, which forms carry as a string; None when absent."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise ApiError(error) from None

    def channel(self, name: str = "channel") -> Channel:
        """Return the conversation if the app can see it.

        A private channel or DM without the bot looks like one that does not exist.
        """
        channel = self.workspace.find_channel(self.required(name))
        if channel is None:
            raise ApiError("channel_not_found")
        if channel.kind is not Kind.PUBLIC and not channel.has_bot:
            raise ApiError("channel_not_found")
        return channel

    def need_scope(self, scope: str) -> None:
        """Refuse unless the token has this scope."""
        if scope not in self.grant.scopes:
            raise missing_scope(self.grant, scope)


def missing(argument: str) -> ApiError:
    """Return the refusal of a call without a required argument."""
    message = f"[ERROR] missing required field: {argument}"
    return ApiError("invalid_arguments", response_metadata={"messages": [message]})


def missing_scope(grant: Grant, *needed: str) -> ApiError:
    """Return the refusal of a token that has none of the ``needed`` scopes."""
    return ApiError(
        "missing_scope",
        needed=",".join(needed),
        provided=",".join(sorted(grant.scopes)),
    )
