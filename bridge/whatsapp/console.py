"""GREEN-API, the methods that look after an instance: for ``init`` and ``doctor``."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping

from bridge.whatsapp import answers
from bridge.whatsapp.client import GreenApi


class NoQr(Exception):
    """GREEN-API has no QR code to show; the text is its own word for why, if any."""


class Console(GreenApi):
    """One GREEN-API instance, as whoever looks after it sees it."""

    __slots__ = ()

    def get_wa_settings(self) -> Mapping[str, object]:
        """Return what is known of the linked account.

        ``{"phone": "79001234567", "stateInstance": str, "suspendedUntil"?: …, …}``;
        ``phone`` is empty while none is linked.

        Source: https://green-api.com/en/docs/api/account/GetWaSettings/
        """
        return answers.read_object(self._get("getWaSettings"))

    def set_settings(self, changes: Mapping[str, object]) -> None:
        """Change settings; the instance restarts, and they hold in up to 5 minutes.

        Source: https://green-api.com/en/docs/api/account/SetSettings/

        Args:
            changes: at least one of the names that ``get_settings`` shows.

        Raises:
            Retryable: certainly not saved; later it may be.
            Permanent: refused.
            Unknown: may or may not have been saved; saving again does no harm.
        """
        answer = self._post("setSettings", dict(changes))
        if not answers.told(answer, "saveSettings", bool):
            raise answers.odd(answer)

    def waiting_notifications(self) -> int:
        """Return how many notifications wait in the queue; up to 10 s old.

        The key of the one number was printed with a letter of another alphabet for a
        while, so any will do.

        Source: https://green-api.com/en/docs/api/queues/GetWebhooksCount/
        """
        answer = self._get("getWebhooksCount")
        counts = [
            value
            for value in answers.read_object(answer).values()
            if isinstance(value, int) and not isinstance(value, bool)
        ]
        if len(counts) != 1:
            raise answers.odd(answer)
        return counts[0]

    def get_authorization_code(self, phone_number: int) -> str | None:
        """Return the code to type on the phone, or None if GREEN-API gives none.

        To be asked for once: a second request while the first code is open can leave
        the instance at ``starting``.

        Source: https://green-api.com/en/docs/api/account/GetAuthorizationCode/

        Args:
            phone_number: of the phone, with its country code.
        """
        answer = self._post("getAuthorizationCode", {"phoneNumber": phone_number})
        told = answers.read_object(answer)
        code = told.get("code")
        if told.get("status") is not True or not isinstance(code, str):
            return None
        return code if code.isalnum() and len(code) <= 16 else None

    def qr(self, patience: float) -> bytes | None:
        """Return the PNG of the code to scan, or None if a phone is linked already.

        It changes every 20 s.

        Source: https://green-api.com/en/docs/api/account/QR/

        Args:
            patience: seconds that GREEN-API may take on top of the usual.

        Raises:
            NoQr: there is none at the moment.
        """
        told = answers.read_object(self._get("qr", patience=patience))
        kind, message = told.get("type"), told.get("message")
        if kind == "alreadyLogged":
            return None
        if kind != "qrCode" or not isinstance(message, str):
            raise NoQr(message[:200] if isinstance(message, str) else "")
        try:
            return b64decode(message.rpartition(",")[2], validate=True)
        except binascii.Error:
            raise NoQr("it is no picture") from None
