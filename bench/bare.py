"""A Bolt app that only acks: ``python -m bench.bare``, by the environment.

With ``BENCH_BEFORE_RESPONSE=1`` it runs with ``process_before_response``, else as
Bolt's own examples do.
"""

from __future__ import annotations

import os

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
        process_before_response=os.environ.get("BENCH_BEFORE_RESPONSE") == "1",
    )

    @app.command("/whatsapp")
    def on_command(ack: Ack) -> None:
        ack()

    serve(app)


if __name__ == "__main__":
    main()
