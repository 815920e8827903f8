"""The emulated Slack."""

from bridge.sandbox.slack.parts import DEFAULT_SCOPES
from bridge.sandbox.slack.sandbox import SlackSandbox
from bridge.sandbox.slack.workspace import Kind, User

__all__ = ["DEFAULT_SCOPES", "Kind", "SlackSandbox", "User"]
