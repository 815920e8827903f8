"""One installation to look at, and what was found out about it so far.

Everything is asked for when a check needs it, and once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from slack_sdk import WebClient

from bridge import settings as module
from bridge.doctor.green_api import Instance, ask_instance, ask_settings
from bridge.doctor.running import Page, ask_page
from bridge.doctor.slack import Bot, app_id, ask_bot
from bridge.doctor.wishes import Wishes
from bridge.errors import SendError, SettingsError
from bridge.parts import make_console, make_schedule, make_slack_client, utc_now
from bridge.reasons import Reason
from bridge.settings import Settings
from bridge.store.inspection import Inspection, inspect_store
from bridge.whatsapp.console import Console


class Case:
    """What the checks look at.

    Args:
        environment: names to values, those of ``.env`` included.
        env_file: the file that was named; None: ``.env`` here, if there is one.
    """

    def __init__(self, environment: Mapping[str, str], env_file: Path | None) -> None:
        self.environment = environment
        self.env_file = env_file
        self.settings: Settings = module.usable(environment)
        self._console: Console | None = None

    def close(self) -> None:
        """Close the connections that the checks left open."""
        if self._console is not None:
            self._console.close()

    # --- the settings -----------------------------------------------------------------

    @cached_property
    def is_configured(self) -> bool:
        """Whether anybody has ever set anything up here."""
        values, problems = module.read(self.environment)
        return bool(problems) or any(name in values for name in module.ACCESS)

    @cached_property
    def problems(self) -> list[str]:
        """A sentence for each reason why ``bridge run`` would not start."""
        try:
            module.load(self.environment)
        except SettingsError as err:
            return [each for each in err.problems if each not in self.exposed.values()]
        return []

    @cached_property
    def exposed(self) -> dict[Path, str]:
        """The files with secrets that others can read, and a sentence for each."""
        return module.exposed_files(self.env_file, self.environment)

    @cached_property
    def wishes(self) -> Wishes:
        """What the settings ask of the instance."""
        given = self.settings
        return Wishes(given.green_api_receive, given.green_api_webhook_token)

    # --- Slack ------------------------------------------------------------------------

    @cached_property
    def slack(self) -> WebClient:
        """The Web API."""
        return make_slack_client(self.settings)

    @cached_property
    def bot(self) -> Bot:
        """Slack's word on the bot token."""
        return ask_bot(self.slack)

    @cached_property
    def app_id(self) -> str | None:
        """The Slack app, as far as its token tells."""
        return app_id(self.settings.slack_app_token)

    # --- GREEN-API --------------------------------------------------------------------

    @property
    def console(self) -> Console:
        """The instance.

        Raises:
            SettingsError: its address or a proxy can't be used.
        """
        if self._console is None:
            self._console = make_console(self.settings)
        return self._console

    @cached_property
    def instance(self) -> Instance:
        """GREEN-API's word on the instance."""
        return ask_instance(self.console)

    @cached_property
    def instance_settings(self) -> Mapping[str, object] | SendError:
        """The instance's own settings, or why they are not told."""
        return ask_settings(self.console)

    @cached_property
    def starting_for(self) -> timedelta | None:
        """Since when the running bridge has seen the instance starting."""
        contents = self.storage.contents
        if contents is None or contents.account.hold is not Reason.STARTING:
            return None
        since = contents.account.hold_at
        return None if since is None else utc_now() - since

    # --- here -------------------------------------------------------------------------

    @cached_property
    def storage(self) -> Inspection:
        """The database."""
        url, schedule = self.settings.store_url, make_schedule(self.settings)
        return inspect_store(url, utc_now(), schedule)

    @cached_property
    def page(self) -> Page:
        """What the running bridge says of itself."""
        if self.settings.port == 0:
            return Page(None)
        return ask_page(self.settings.host, self.settings.port)

    @property
    def is_running(self) -> bool:
        """Whether a copy of this very installation runs now."""
        return self.page.is_ours or self.storage.copies > 0
