"""The stage of one round: emulators, proxies, bridges, and the clock of the plan."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bridge.sandbox.green_api import GreenApiSandbox
from bridge.sandbox.slack import SlackSandbox
from chaos.evidence import Asked
from chaos.mutants import planted_in
from chaos.plan import Plan, Step
from chaos.proxy import Proxy
from chaos.replica import Replica
from chaos.traps import Traps
from chaos.weather import Weather
from tests.harness import (
    GREEN_TOKEN,
    PATIENCE,
    REPOSITORY,
    RunningBridge,
    World,
    make_slack,
)

TYPISTS = 32  # commands that may wait for their ack at the same moment


class Stage:
    """Everything an actor may lay hands on; a context manager.

    Attributes:
        world: the emulators and the first bridge.
        proxies: ``green``, ``slack``, and ``front`` before HTTP request URLs.
        tally: how often what was done.
        asked: the commands that were typed, by Slack's id.
    """

    def __init__(self, folder: Path, plan: Plan, database_url: str | None) -> None:
        self.plan = plan
        self.tally: Counter[str] = Counter()
        self.weather = Weather()
        self.asked: dict[str, Asked] = {}
        self.chance = random.Random(plan.seed)  # noqa: S311 - to be repeatable
        slack, green = make_slack(), make_green(plan.scale)
        self.world = World(
            folder,
            plan.transport,
            slack=slack,
            green=green,
            database_url=database_url,
            BRIDGE_TIME_SCALE=str(plan.scale),
        )
        self.proxies = self._open_proxies()
        if plan.mutant is not None:
            first = planted_in(folder / "mutant", plan.mutant)
            path = os.pathsep.join([first, str(REPOSITORY)])
            self.world.bridge.settings["PYTHONPATH"] = path
        bridges = [self.world.bridge, *self._more_bridges(folder)]
        self._turned = threading.Condition()
        self.replicas = [
            Replica(bridge, self.weather, self.tally, self._turn) for bridge in bridges
        ]
        self.traps = Traps(self.world, self.kill)
        self.typists = ThreadPoolExecutor(TYPISTS, "chaos-typist")
        self.numbers = [self.world.number() for _ in range(20)]
        self.people = [self.world.person() for _ in range(8)]
        self.rooms = [self.world.room(has_bot=n % 3 != 2) for n in range(8)]
        self.doomed: list[int] = []  # replicas that the next command kills
        self.incoming: list[str] = []  # ids of what customers wrote
        self.pressed: set[str] = set()  # deliveries that somebody had sent again
        self.odd = 0  # notifications that nobody can understand
        self._timers: list[tuple[threading.Timer, Callable[[], None]]] = []

    @property
    def slack(self) -> SlackSandbox:
        """The emulated Slack."""
        return self.world.slack

    @property
    def green(self) -> GreenApiSandbox:
        """The emulated GREEN-API."""
        return self.world.green

    def _open_proxies(self) -> dict[str, Proxy]:
        port = int(self.world.server.url.rpartition(":")[2])
        proxies = {
            "green": Proxy(lambda: port).start(),
            "slack": Proxy(lambda: port).start(),
            "front": Proxy(self._port_of_any).start(),
        }
        settings = self.world.bridge.settings
        settings["GREEN_API_URL"] = proxies["green"].url
        settings["SLACK_API_URL"] = f"{proxies['slack'].url}/api/"
        if self.plan.transport == "http":
            self.slack.request_url = f"{proxies['front'].url}/slack/events"
        return proxies

    def _port_of_any(self) -> int | None:
        """Return the port of a bridge that is up: a load balancer's whole wisdom."""
        ports = [each.bridge.port for each in self.replicas if each.is_up]
        return random.choice(ports) if ports else None  # noqa: S311 - no secret

    def _more_bridges(self, folder: Path) -> list[RunningBridge]:
        shared = {
            name: value
            for name, value in self.world.bridge.settings.items()
            if name not in {"PORT", "BRIDGE_DATA_DIR"}
        }
        return [
            RunningBridge(folder / f"replica-{number}", shared)
            for number in range(2, self.plan.replicas + 1)
        ]

    def __enter__(self) -> Stage:
        for replica in self.replicas:
            replica.start()
        self.wait_until_up()
        return self

    def __exit__(self, *_: object) -> None:
        self.traps.clear()
        for replica in self.replicas:
            replica.close()
        self.typists.shutdown()
        for proxy in self.proxies.values():
            proxy.stop()
        self.world.server.stop()
        self.green.close()

    # --- lives ----------------------------------------------------------------------

    def kill(self, which: int) -> None:
        """Kill a bridge; it comes back."""
        self.replicas[which].kill()

    @property
    def is_up(self) -> bool:
        """Whether any bridge is there."""
        return any(replica.is_up for replica in self.replicas)

    def _turn(self) -> None:
        with self._turned:
            self._turned.notify_all()

    def wait_until_up(self, everybody: bool = False) -> bool:
        """Wait until a bridge, or every one, is there; False if none comes."""
        which = all if everybody else any

        def up() -> bool:
            for replica in self.replicas:
                replica.watch()
            return which(replica.is_up for replica in self.replicas)

        ends_at = time.monotonic() + PATIENCE
        while not up():
            if time.monotonic() > ends_at:
                return False
            with self._turned:
                self._turned.wait(0.05)
        return True

    # --- time -----------------------------------------------------------------------

    def play(
        self, steps: Sequence[Step], act: Callable[[str, dict[str, object]], None]
    ) -> None:
        """Call ``act`` for every step when its time has come.

        The clock of the plan stands still while no bridge is up.
        """
        now, seen = steps[0].at if steps else 0.0, time.monotonic()
        for step in steps:
            while now < step.at:
                for replica in self.replicas:
                    replica.watch()
                time.sleep(min(0.01, step.at - now))
                if not self.is_up:
                    self.wait_until_up()
                    seen = time.monotonic()
                passed = time.monotonic()
                now, seen = now + passed - seen, passed
            act(step.kind, step.args)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after a while, or when everything is healed."""
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        self._timers.append((timer, action))
        timer.start()

    def heal(self) -> None:
        """End every trouble; wait for whoever still types."""
        self.traps.clear()
        for timer, action in self._timers:
            timer.cancel()
            action()
        self._timers.clear()
        self.world.heal()
        self.traps.listen()
        self.green.apply_settings(outgoingAPIMessageWebhook="yes")
        self.green.journal.lag = 0.0
        for proxy in self.proxies.values():
            proxy.heal()
        self.typists.shutdown(wait=True)
        self.typists = ThreadPoolExecutor(TYPISTS, "chaos-typist")


def make_green(scale: float) -> GreenApiSandbox:
    """Return a GREEN-API whose seconds pass as fast as the bridge's."""
    return GreenApiSandbox(token=GREEN_TOKEN, speed=1 / scale, notifications=True)
