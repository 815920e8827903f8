"""Which checks there are, in the order of the report, and what each needs to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.doctor import green_api, here, slack
from bridge.doctor.case import Case
from bridge.doctor.channel import check_channel
from bridge.doctor.findings import Area, Finding, Row
from bridge.doctor.packages import check_versions
from bridge.doctor.webhook import check_webhook
from bridge.doctor.wishes import WEBHOOK_PATH
from bridge.errors import SendError

SOCKET = "socket"
CONNECTIONS = 2  # of a running copy to Slack
BOT = ("slack_bot_token",)
APP = ("slack_app_token",)
INSTANCE = ("green_api_id_instance", "green_api_token_instance")


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the report before it is made."""

    name: str
    area: Area
    look: Callable[[Case], Finding]
    needs: tuple[str, ...] = ()  # fields of Settings without which it can't look

    @property
    def row(self) -> Row:
        """What makes its findings."""
        return Row(self.name, self.area)


def _app_token(case: Case) -> Finding:
    token = case.settings.slack_app_token
    if token is None:
        return _no_socket_mode("app-token")
    if _is_out_of_reach(case):
        return Row("app-token", Area.SLACK).skipped("not asked: see bot token")
    return slack.check_app_token(case.slack, token)


def _socket(case: Case) -> Finding:
    token = case.settings.slack_app_token
    if token is None:
        return _no_socket_mode(SOCKET)
    if _is_out_of_reach(case):
        return Row(SOCKET, Area.SLACK).skipped("not tried: see bot token")
    # A copy that can't be seen in the database may still answer at its port.
    copies = max(case.storage.copies, int(case.page.is_ours))
    return slack.check_socket(case.slack, token, CONNECTIONS * copies)


def socket_of_the_running(case: Case) -> Finding:
    """Say how the running copy is connected, without another connection."""
    row = Row(SOCKET, Area.SLACK)
    if not case.settings.uses_socket_mode:
        return _no_socket_mode(SOCKET)
    if "slack" in case.page.reasons:
        return row.problem(
            case.page.reasons["slack"],
            "Look at app token above, and at the log of the bridge.",
        )
    if case.page.is_ours:
        return row.ok(
            "the running bridge is connected. Whether others use its app token: "
            "bridge doctor --only socket"
        )
    return row.skipped(
        "a copy runs and has its own connections; another one would be given part of "
        "its commands. While nobody types any: bridge doctor --only socket"
    )


def _is_out_of_reach(case: Case) -> bool:
    """Whether Slack was asked and did not answer: nobody waits for that again."""
    return bool(case.settings.slack_bot_token) and case.bot.refusal == slack.UNREACHABLE


def _no_socket_mode(name: str) -> Finding:
    return Row(name, Area.SLACK).skipped("not used: Slack comes over HTTP")


def _clock(case: Case) -> Finding:
    is_http = not case.settings.uses_socket_mode
    return slack.check_clock(case.bot, signs_requests=is_http)


def _channel(case: Case) -> Finding:
    row = Row("channel", Area.SLACK)
    channel = case.settings.admin_channel
    if not case.bot.is_known:
        return row.skipped("not asked: see bot token")
    if channel is not None:
        return check_channel(case.slack, channel)
    if case.settings.admins:
        return row.ok("none; the first of BRIDGE_ADMINS is told in direct messages")
    return row.skipped(
        "none: nobody is told when the WhatsApp account needs somebody. Set "
        "BRIDGE_ADMIN_CHANNEL or BRIDGE_ADMINS"
    )


def _api_url(case: Case) -> Finding:
    settings = case.settings
    return green_api.check_api_url(
        settings.green_api_url,
        settings.green_api_id_instance,
        is_proxied=bool(here.proxy_names(case.environment)),
    )


def _instance(case: Case) -> Finding:
    starting_for = case.starting_for if case.instance.state == "starting" else None
    name = case.settings.green_api_id_instance
    return green_api.check_instance(case.instance, name, starting_for)


def _account(case: Case) -> Finding:
    if case.instance.state != "authorized":
        return Row("account", Area.GREEN_API).skipped("not asked: see instance")
    return green_api.check_account(case.console)


def _settings(case: Case) -> Finding:
    if case.instance.error is not None:
        return Row("settings", Area.GREEN_API).skipped("not asked: see instance")
    return green_api.check_settings(case.instance_settings, case.wishes)


def _receiving(case: Case) -> Finding:
    row = Row("receiving", Area.GREEN_API)
    how = case.settings.green_api_receive
    if how != "polling":
        return row.skipped(f"GREEN_API_RECEIVE is {how}: nothing is fetched")
    if case.instance.error is not None:
        return row.skipped("not asked: see instance")
    return green_api.check_receiving(case.console, is_polled=case.is_running)


def _webhook(case: Case) -> Finding:
    row = Row("webhook", Area.GREEN_API)
    if case.settings.green_api_receive != "webhook":
        return row.skipped("not used")
    found = case.instance_settings
    if case.instance.error is not None or isinstance(found, SendError):
        return row.skipped("not asked: see instance")
    url = str(found.get("webhookUrl") or "")
    if not url.endswith(WEBHOOK_PATH):
        return row.skipped("not tried: see settings")
    return check_webhook(url, is_running=case.is_running)


def _plan(case: Case) -> Finding:
    row = Row("plan", Area.GREEN_API)
    contents = case.storage.contents
    if contents is None:
        return row.skipped("not known: no message was sent from here yet")
    count, last = contents.refused_for_plan
    if not count or last is None:
        return row.ok("its limit was not met in the last 30 days")
    noun = "message was" if count == 1 else "messages were"
    return row.warning(
        f"{count} {noun} refused in the last 30 days because the plan's chats were "
        f"used up, the last on {last:%Y-%m-%d}",
        "The free plan has 3 chats a month, counted anew on the 1st. Change the plan.",
        green_api.CONSOLE,
    )


CHECKS = (
    Check(
        "bot-token",
        Area.SLACK,
        lambda case: slack.check_bot_token(case.bot, case.app_id),
        BOT,
    ),
    Check(
        "scopes",
        Area.SLACK,
        lambda case: slack.check_scopes(case.bot, case.app_id),
        BOT,
    ),
    Check("app-token", Area.SLACK, _app_token, APP),
    Check(SOCKET, Area.SLACK, _socket, APP),
    Check("clock", Area.SLACK, _clock, BOT),
    Check("channel", Area.SLACK, _channel, BOT),
    Check("api-url", Area.GREEN_API, _api_url, INSTANCE),
    Check("instance", Area.GREEN_API, _instance, INSTANCE),
    Check("account", Area.GREEN_API, _account, INSTANCE),
    Check("settings", Area.GREEN_API, _settings, INSTANCE),
    Check("receiving", Area.GREEN_API, _receiving, INSTANCE),
    Check("webhook", Area.GREEN_API, _webhook, INSTANCE),
    Check("plan", Area.GREEN_API, _plan),
    Check("env-file", Area.HERE, here.check_env_file),
    Check("configuration", Area.HERE, here.check_configuration),
    Check("names", Area.HERE, here.check_names),
    Check("proxy", Area.HERE, here.check_proxy),
    Check("storage", Area.HERE, here.check_storage),
    Check("running", Area.HERE, here.check_running),
    Check("port", Area.HERE, here.check_port),
    Check("versions", Area.HERE, check_versions),
)
BROKEN_SETTINGS = frozenset({"env-file", "configuration"})
"""Checks whose problem means that the bridge is not configured: exit code 78."""
