"""What a tutorial leads to: the whole job inside the listener, nothing stored."""

from __future__ import annotations

import os
from typing import Any

import requests
from slack_bolt import Ack, App
from slack_sdk import WebClient

from bench.ways_in import serve


def main() -> None:
    """Serve until killed."""
    app = App(
        client=WebClient(
            os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"]
        ),
        signing_secret=os.environ["SLACK_SIGNING_SECRET"],
    )
    url = (
        f"{os.environ['GREEN_API_URL']}/waInstance{os.environ['GREEN_API_ID_INSTANCE']}"
        f"/sendMessage/{os.environ['GREEN_API_TOKEN_INSTANCE']}"
    )

    @app.command("/whatsapp")
    def whatsapp(ack: Ack, command: dict[str, Any], client: WebClient) -> None:
        ack()
        number, _, text = command["text"].partition(" ")
        chat_id = number.lstrip("+") + "@c.us"
        payload = {"chatId": chat_id, "message": text}
        response = requests.post(url, json=payload, timeout=30)
        root = client.chat_postMessage(
            channel=command["channel_id"], text=f"WhatsApp to {number}: {text}"
        )
        client.chat_postMessage(
            channel=command["channel_id"],
            thread_ts=root["ts"],
            text=f"idMessage: {response.json()['idMessage']}",
        )

    serve(app)


if __name__ == "__main__":
    main()
