"""HTTP mode: signed requests to the app's Request URL."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlencode, urlsplit

from bridge.sandbox.slack.clock import Clock
from bridge.sandbox.slack.delivery import ACK_SECONDS, Envelope, Outcome, Reply
from bridge.sandbox.slack.workspace import Json

_VERIFICATION_TOKEN = "sandbox-verification"  # noqa: S105 deprecated and public
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


class RequestUrl:
    """The app's one URL for commands, buttons and events."""

    def __init__(self, url: str, signing_secret: str, clock: Clock) -> None:
        self.url = url
        self._signing_secret = signing_secret
        self._clock = clock

    def deliver(self, envelope: Envelope, attempt: int, reason: str) -> Reply:
        """POST a command as a form, an event as JSON, a press as JSON in a form."""
        headers = {}
        if attempt:
            headers["x-slack-retry-num"] = str(attempt)
            headers["x-slack-retry-reason"] = reason
        if envelope.is_event:
            return self._post(json.dumps(envelope.payload), _JSON, headers)
        form = envelope.payload
        if not envelope.is_command:
            form = {"payload": json.dumps(form)}
        return self._post(urlencode(form), _FORM, headers)

    def verify(self) -> bool:
        """Send ``url_verification``; return whether the challenge came back."""
        challenge = secrets.token_urlsafe(32)
        body = {
            "type": "url_verification",
            "token": _VERIFICATION_TOKEN,
            "challenge": challenge,
        }
        reply = self._post(json.dumps(body), _JSON, {})
        return reply.outcome is Outcome.ACKED and reply.payload in (
            {"challenge": challenge},
            {"text": challenge},  # plain text will do
        )

    def _post(self, body: str, content_type: str, headers: dict[str, str]) -> Reply:
        """POST without a proxy or a redirect, within the three seconds."""
        address = urlsplit(self.url)
        connection = HTTPConnection(
            address.netloc, timeout=self._clock.real(ACK_SECONDS)
        )
        path = address.path or "/"
        try:
            connection.request(
                "POST",
                f"{path}?{address.query}" if address.query else path,
                body.encode(),
                self._signed(body) | {"Content-Type": content_type} | headers,
            )
            return _read_reply(connection.getresponse())
        except TimeoutError:
            return Reply(Outcome.OPERATION_TIMEOUT, reason="http_timeout")
        except (OSError, HTTPException):
            return Reply(Outcome.DISPATCH_FAILED, reason="connection_failed")
        finally:
            connection.close()

    def _signed(self, body: str) -> dict[str, str]:
        timestamp = str(int(time.time()))
        base = f"v0:{timestamp}:{body}".encode()
        key = self._signing_secret.encode()
        signature = hmac.new(key, base, hashlib.sha256).hexdigest()
        return {
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "Accept": "application/json,*/*",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={signature}",
        }


def _read_reply(response: HTTPResponse) -> Reply:
    body = response.read().decode(errors="replace")
    if response.status != 200:
        may_retry = response.getheader("x-slack-no-retry") != "1"
        return Reply(Outcome.DISPATCH_FAILED, reason="http_error", may_retry=may_retry)
    return Reply(Outcome.ACKED, _payload(body, response.getheader("Content-Type", "")))


def _payload(body: str, content_type: str) -> Json | None:
    """Return the message in a 200 answer; plain text is a message, too."""
    if not body:
        return None
    if content_type.startswith(_JSON):
        try:
            parsed = json.loads(body)
        except ValueError:
            return {"text": body}
        return parsed if isinstance(parsed, dict) else None
    return {"text": body}
