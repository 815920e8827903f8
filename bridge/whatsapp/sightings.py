"""GREEN-API's queue and journal as evidence."""

from __future__ import annotations

from bridge.model import Sighting
from bridge.whatsapp.client import GreenApi


class Records:
    """Implements ``flows.search.Records``: one request a call."""

    def __init__(self, green_api: GreenApi) -> None:
        self._green_api = green_api

    def sightings_in_queue(self) -> list[Sighting]:
        """Return the texts that wait in GREEN-API's queue and have an id there."""
        return [
            Sighting(queued.id_message, queued.chat_id, queued.text, None)
            for queued in self._green_api.show_messages_queue()
            if queued.id_message and queued.text
        ]

    def sightings_in_journal(self, minutes: int) -> list[Sighting]:
        """Return the texts that GREEN-API sent for us, not those typed on the phone.

        Their times are by our clock, as far as GREEN-API's can be told from it.
        """
        entries = self._green_api.last_outgoing_messages(minutes)
        ahead = self._green_api.clock_ahead()
        return [
            Sighting(entry.id_message, entry.chat_id, entry.text, entry.sent_at - ahead)
            for entry in entries
            if entry.is_outgoing and entry.by_api is not False and entry.text
        ]
