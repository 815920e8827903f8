"""The dashboard and the alerts ask for what /metrics really shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bridge.figures import OPEN, Standing
from bridge.metrics import Metrics
from bridge.model import ReceiptStatus
from tests.conftest import NOW
from tests.fakes import FakeClock

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
FIVE_GRAPHS = [
    "Delivery funnel",
    "Time until delivered",
    "Throughput",
    "Queue depth",
    "Slack ack",
]


class View:
    """A WhatsApp account in good order."""

    state = "authorized"
    hold = None
    hold_at = None


def samples() -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return the names and labels of all that ``/metrics`` shows."""
    standing = Standing(dict.fromkeys(OPEN, 1), NOW, NOW, 1, NOW, 1)
    metrics = Metrics(lambda: standing, View, FakeClock(NOW))
    metrics.acked(0.1)
    metrics.accepted(0.1)
    for status in ReceiptStatus:
        metrics.ticked(status, 0.1)
    metrics.answered("sendMessage", "accepted")
    metrics.answered("sendMessage", "429")
    metrics.answered("receiveNotification", "2xx")
    page, _ = metrics.page("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def asked_for(expression: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each metric in a query, with the labels it has to have."""
    for name, braces in re.findall(r"\b(bridge_\w+)(?:\{([^}]*)\})?", expression):
        yield name, dict(re.findall(r'(\w+)="([^"]*)"', braces))


def is_shown(name: str, labels: dict[str, str]) -> bool:
    return any(
        name == shown and labels.items() <= dict(has).items()
        for shown, has in samples()
    )


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (DEPLOY / "grafana-dashboard.json").read_text("utf-8")
    )
    return found


def rules() -> list[dict[str, Any]]:
    page = yaml.safe_load((DEPLOY / "prometheus-alerts.yaml").read_text("utf-8"))
    return [rule for group in page["groups"] for rule in group["rules"]]


def queries() -> list[str]:
    graphs = [t["expr"] for panel in dashboard()["panels"] for t in panel["targets"]]
    return [*graphs, *(rule["expr"] for rule in rules())]


@pytest.mark.parametrize("query", queries())
def test_a_query_asks_for_what_the_bridge_shows(query: str) -> None:
    wanted = list(asked_for(query))

    missing = [(name, has) for name, has in wanted if not is_shown(name, has)]

    assert missing == []
    assert wanted or query == "vector($pace * 60)"


def test_a_query_for_something_else_would_be_noticed() -> None:
    assert not is_shown("bridge_delivered_total", {})
    assert not is_shown("bridge_deliveries", {"status": "read"})


def test_the_dashboard_has_the_five_graphs_and_each_its_place() -> None:
    panels = dashboard()["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]

    assert [panel["title"] for panel in panels] == FIVE_GRAPHS
    assert len(set(places)) == len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels)


def test_the_dashboard_asks_for_no_data_source_of_ours() -> None:
    text = (DEPLOY / "grafana-dashboard.json").read_text("utf-8")

    assert set(re.findall(r'"uid": "(\$?[^"]*)"', text)) == {
        "${datasource}",
        dashboard()["uid"],
    }


def test_every_alert_and_graph_is_explained() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8")

    assert [r["alert"] for r in rules() if f"| `{r['alert']}` |" not in page] == []
    assert [g for g in FIVE_GRAPHS if f"| **{g}** |" not in page] == []


@pytest.mark.skipif(not shutil.which("promtool"), reason="no Prometheus here")
def test_prometheus_takes_the_alerts() -> None:
    path = str(DEPLOY / "prometheus-alerts.yaml")

    subprocess.run(["promtool", "check", "rules", path], check=True)  # noqa: S607
