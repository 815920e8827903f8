"""``/metrics``: how the bridge stands, for Prometheus.

What the store knows is looked up when somebody asks; copies that share a database
tell the same of it, so take ``max``, not ``sum``. What only this process saw, the
histograms and the counter, is counted as it happens and may be summed up.

No label holds a chat, a number, a token or an id: labels are words of our own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from flask import Flask, Response, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from bridge.figures import ACCOUNT_STATES, AccountView, Standing
from bridge.model import ReceiptStatus
from bridge.ports import Clock
from bridge.reasons import Reason

log = logging.getLogger(__name__)

# Slack waits three seconds for an ack; the bridge gives up after 2.2.
ACK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.2, 2.5, 3)
# From a quick hand-over to the end of the usual time to live.
DELIVERY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
HOLDS = (
    Reason.UNREACHABLE,
    Reason.NOT_AUTHORIZED,
    Reason.STARTING,
    Reason.INSTANCE_GONE,
    Reason.REFUSED_TOKEN,
    Reason.REFUSED_INSTANCE,
    Reason.WRONG_ADDRESS,
    Reason.BLOCKED,
    Reason.OTHER_NUMBER,
    Reason.RESTRICTED,
)
NOT_ANSWERED = frozenset({"no_connection", "no_answer"})


class Metrics:
    """What ``/metrics`` shows, and the ears that the rest of the bridge talks to.

    Args:
        standing: ``Figures.now_standing``.
        account: returns the WhatsApp account.
        clock: returns the present moment.
    """

    def __init__(
        self,
        standing: Callable[[], Standing],
        account: Callable[[], AccountView],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._unanswered_since: datetime | None = None
        self._registry = registry = CollectorRegistry()
        self._acks = Histogram(
            "bridge_ack_seconds",
            "From a request of Slack to its ack.",
            registry=registry,
            buckets=ACK_BUCKETS,
        )
        self._accepted = Histogram(
            "bridge_delivery_seconds",
            "From a stored command to GREEN-API's idMessage.",
            registry=registry,
            buckets=DELIVERY_BUCKETS,
        )
        self._ticks = Histogram(
            "bridge_receipt_seconds",
            "From a stored command to what WhatsApp says of its message.",
            ["status"],
            registry=registry,
            buckets=DELIVERY_BUCKETS,
        )
        self._answers = Counter(
            "bridge_green_api_answers",
            "Requests to GREEN-API by method and kind of answer.",
            ["method", "class"],
            registry=registry,
        )
        Gauge(
            "bridge_green_api_silent_seconds",
            "For how long no request to GREEN-API was answered; 0: the last one was.",
            registry=registry,
        ).set_function(lambda: (self.silent_for() or timedelta()).total_seconds())
        registry.register(_Looked(standing, account, clock))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def acked(self, seconds: float) -> None:
        """Count a request of Slack that was answered after ``seconds``."""
        self._acks.observe(seconds)

    def accepted(self, seconds: float) -> None:
        """Count a text accepted by GREEN-API, ``seconds`` after it was stored."""
        self._accepted.observe(max(0.0, seconds))  # a clock may be set back

    def ticked(self, status: ReceiptStatus, seconds: float) -> None:
        """Count the first receipt of a kind for a text, ``seconds`` old by then."""
        self._ticks.labels(status).observe(max(0.0, seconds))

    def answered(self, method: str, kind: str) -> None:
        """Count one request to GREEN-API; what ``Transport`` observes."""
        self._answers.labels(method, kind).inc()
        if kind not in NOT_ANSWERED:
            self._unanswered_since = None
        elif self._unanswered_since is None:
            self._unanswered_since = self._clock()

    def silent_for(self) -> timedelta | None:
        """Return how long GREEN-API has answered nothing; None if it did last time."""
        since = self._unanswered_since
        return None if since is None else self._clock() - since

    def page(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their content type.

        Args:
            accept: the header of the request; decides between the two text formats.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Looked(Collector):
    """What is looked up in the store at each scrape."""

    def __init__(
        self,
        standing: Callable[[], Standing],
        account: Callable[[], AccountView],
        clock: Clock,
    ) -> None:
        self._standing = standing
        self._account = account
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges; only ``bridge_up_store`` while the store is in trouble.

        No figure is better than a zero that nobody counted.
        """
        try:
            standing, account = self._standing(), self._account()
        except Exception as err:  # noqa: BLE001 - the rest is what one needs to see now
            log.warning("metrics without the store: %s", type(err).__name__)
            yield _gauge("bridge_up_store", "Whether the store can be read.", 0)
            return
        yield _gauge("bridge_up_store", "Whether the store can be read.", 1)
        yield from _of_standing(standing, self._clock())
        yield from _of_account(account)


def _of_standing(standing: Standing, now: datetime) -> Iterator[GaugeMetricFamily]:
    open_ones = GaugeMetricFamily(
        "bridge_deliveries", "Deliveries that are not finished.", labels=["status"]
    )
    for status, count in standing.open.items():
        open_ones.add_metric([str(status)], count)
    yield open_ones
    for name, meaning, since in (
        ("waiting", "the oldest delivery has waited", standing.oldest_waiting_at),
        ("unknown", "evidence was first looked for", standing.oldest_unknown_at),
        ("untold", "Slack does not show the latest", standing.oldest_untold_at),
    ):
        age = (now - since).total_seconds() if since else 0.0
        yield _gauge(
            f"bridge_oldest_{name}_seconds",
            f"For how long {meaning}; 0: nothing is open.",
            max(0.0, age),
        )
    yield _gauge(
        "bridge_slack_untold",
        "Deliveries of which Slack does not show the latest.",
        standing.slack_untold,
    )
    yield _gauge(
        "bridge_dead_letters",
        "Notifications that could not be understood.",
        standing.dead_letters,
    )


def _of_account(account: AccountView) -> Iterator[GaugeMetricFamily]:
    # A word we do not know could be anything, so it never becomes a label.
    yield _one_of(
        "bridge_instance_state",
        "The WhatsApp account's state, as GREEN-API last told it.",
        "state",
        ACCOUNT_STATES,
        account.state,
    )
    yield _one_of(
        "bridge_on_hold",
        "Why nothing is sent; all 0: sending goes on.",
        "reason",
        HOLDS,
        account.hold,
    )


def _one_of(
    name: str, meaning: str, label: str, words: tuple[str, ...], current: str | None
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for word in words:
        family.add_metric([str(word)], word == current)
    family.add_metric(["other"], current is not None and current not in words)
    return family


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)


def add_metrics(web: Flask, metrics: Metrics) -> None:
    """Answer ``GET /metrics``."""

    @web.get("/metrics")
    def show() -> Response:
        page, content_type = metrics.page(request.headers.get("Accept", ""))
        return Response(page, content_type=content_type)
