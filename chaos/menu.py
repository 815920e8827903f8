"""What can go wrong, and how often: the default mix."""

from __future__ import annotations

from typing import Any

Choice = tuple[float, str, dict[str, Any]]

# Chances in each command that something goes wrong beside it; the figures of the
# default mix, and what GREEN-API or Slack were seen to do.
WITH_A_COMMAND: tuple[Choice, ...] = (
    (0.030, "green", {"drop": "after"}),  # F5
    (0.010, "green", {"drop": "before"}),  # F6
    (0.010, "green", {"hold": True, "executes": True}),  # F7
    (0.010, "green", {"hold": True}),
    (0.010, "green", {"delay_execution": 45}),  # F8: long after the client has gone
    (0.010, "green", {"status": 502, "executes": True}),  # F13
    (0.010, "green", {"status": 500}),
    (0.005, "green", {"status": 499, "executes": True}),  # F14
    (0.030, "green", {"status": 429}),  # F15
    (0.005, "green", {"status": 429, "headers": {"Retry-After": "2"}}),
    (0.005, "green", {"shape": "html"}),  # F11
    (0.005, "green", {"shape": "no_id", "executes": True}),  # F12
    (0.010, "green", {"shape": "truncated"}),  # F10
    (0.005, "green", {"shape": "drip"}),  # F9
    (0.005, "green", {"status": 466}),  # F17
    (0.005, "green", {"status": 307, "headers": {"Location": "http://127.0.0.1:9/"}}),
    (0.005, "green", {"message": "instance account not authorized"}),  # F19
    (0.010, "slack", {"method": "chat.postMessage", "drop": "after"}),  # F49
    (0.010, "slack", {"method": "chat.postMessage", "drop": "before"}),
    (0.010, "slack", {"method": "chat.postMessage", "retry_after": 1}),  # F48
    (0.005, "slack", {"method": "chat.postMessage", "status": 500}),  # F50
    (0.010, "slack", {"method": "chat.update", "drop": "after"}),
    (0.005, "slack", {"method": "users.info", "status": 503}),
    (0.005, "slack", {"method": "apps.connections.open", "status": 500}),  # F54
    (0.020, "receipts", {"how": "reversed"}),  # F45
    (0.020, "receipts", {"how": "doubled"}),  # F41
    (0.005, "receipts", {"how": "failed, then delivered"}),
    (0.005, "receipts", {"how": "no account"}),
    (0.010, "incoming", {"times": 2}),
    (0.005, "odd", {}),  # F44
    (0.010, "redeliver", {}),  # F33
)

# Each happens about so many times in a hundred seconds of a running bridge.
NOW_AND_THEN: tuple[Choice, ...] = (
    (6, "sockets", {"how": "rst"}),  # F53
    (6, "sockets", {"how": "fin"}),
    (3, "sockets", {"how": "refresh_requested"}),
    (3, "slack_down", {"seconds": 1.5}),
    (1, "state", {"state": "notAuthorized", "how": "queue", "seconds": 2.0}),  # F58
    (1, "state", {"state": "notAuthorized", "how": "refuse", "seconds": 2.0}),
    (1, "state", {"state": "notAuthorized", "how": "reason", "seconds": 1.0}),
    (2, "state", {"state": "starting", "how": "refuse", "seconds": 1.0}),
    (1, "state", {"state": "yellowCard", "how": "queue", "seconds": 1.0}),
    (2, "journal", {"lag": 60, "seconds": 3.0}),  # F28
    (1, "journal", {"lag": None, "seconds": 3.0}),
    (2, "echoes", {"seconds": 2.0}),
    (5, "freeze", {"seconds": 0.7}),  # F56
    (5, "stop", {}),
    (3, "delay", {"upstream": "green", "delay": 0.05, "seconds": 1.0}),
    (3, "delay", {"upstream": "slack", "delay": 0.05, "seconds": 1.0}),
    (2, "throttle", {"upstream": "green", "rate": 4000, "seconds": 1.0}),
    (4, "cut", {"upstream": "green", "cut": "up", "cut_after": 300}),
    (4, "cut", {"upstream": "green", "cut": "down", "cut_after": 40}),
    (4, "cut", {"upstream": "slack", "cut": "down", "cut_after": 60}),
    (2, "cut", {"upstream": "slack", "cut": "up", "cut_after": 200, "ending": "fin"}),
    (3, "refuse", {"upstream": "green", "seconds": 0.7}),  # F1
    (2, "refuse", {"upstream": "slack", "seconds": 0.7}),
    (2, "black_hole", {"upstream": "green", "seconds": 0.7}),  # F2
    (1, "black_hole", {"upstream": "slack", "seconds": 0.7}),  # F53: half-open
    (2, "swap", {"upstream": "green"}),  # a captive portal
    (2, "reset", {"upstream": "green"}),
)
SQLITE_ONLY: tuple[Choice, ...] = ((5, "lock", {"seconds": 1.0}),)  # F36, F37
POSTGRES_ONLY: tuple[Choice, ...] = ((5, "database_cut", {}),)

# Where a targeted kill strikes: method, and whether the request has had its effect.
MOMENTS = (
    ("sendMessage", False),  # F22
    ("sendMessage", True),  # F23
    ("sendMessage", True),
    ("chat.postMessage", False),
    ("chat.postMessage", True),  # F26
    ("chat.postMessage", True),
    ("chat.update", True),
    ("users.info", False),
    ("conversations.replies", True),
    ("receiveNotification", True),
    ("deleteNotification", False),  # F42
    ("deleteNotification", True),
    ("showMessagesQueue", True),
    ("lastOutgoingMessages", True),
    ("command", False),  # F24, F25: a moment after Slack has sent it
)
