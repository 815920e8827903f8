"""One bridge that is killed, frozen and stopped, and always comes back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException

from chaos.weather import Disturbance, Weather
from tests.harness import RunningBridge

LOOK = 0.02  # seconds between two questions whether it is ready
STOP_SECONDS = 15.0  # real ones; a stop that takes longer is ended and counted
MOST_ENDS = 20  # by itself, in one round: then it will not come back


class Replica:
    """A supervised ``bridge run``.

    Args:
        bridge: the process in its folder.
        weather: is told when it is not there.
        tally: counts kills, stops and ends.
        changed: called whenever it has come up or gone down.
    """

    def __init__(
        self,
        bridge: RunningBridge,
        weather: Weather,
        tally: Counter[str],
        changed: Callable[[], None],
    ) -> None:
        self.bridge = bridge
        self.is_up = False
        self.bugs: list[str] = []
        self._weather = weather
        self._tally = tally
        self._changed = changed
        self._guard = threading.RLock()
        self._absence: Disturbance | None = None
        self._life = 0
        self._ends = 0
        self._is_over = False

    def start(self) -> None:
        """Start it in the background; it is started again whenever it ends."""
        with self._guard:
            if self._is_over or self.bridge.is_running:
                return
            self._life += 1
            self.bridge.launch()
            name = f"chaos-replica-{self._life}"
            threading.Thread(
                target=self._wait, args=(self._life,), name=name, daemon=True
            ).start()

    def _wait(self, life: int) -> None:
        while self._life == life and not self._is_over:
            if self._has_ended():
                self._note_end(life)
                return
            if self._is_ready():
                self._came_up(life)
                return
            time.sleep(LOOK)

    def _came_up(self, life: int) -> None:
        with self._guard:
            if self._life != life or not self.bridge.is_running:
                return
            self.is_up = True
            self._end_absence()
        self._changed()

    def _has_ended(self) -> bool:
        with self._guard:
            if not self.bridge.is_running:
                return False
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.bridge.pid, flags) is not None

    def _note_end(self, life: int) -> None:
        """Start it again, as a supervisor would; too many ends are a bug."""
        with self._guard:
            if self._life != life or not self.bridge.is_running:
                return
            code = self.bridge.wait()
            self._tally["ended by itself"] += 1
            self._ends += 1
            if self._ends > MOST_ENDS:
                self.bugs.append(f"it ends again and again, with {code}")
                self._is_over = True
                return
        time.sleep(LOOK)
        self.start()

    def _is_ready(self) -> bool:
        try:
            return self.bridge.get("/readyz")[0] == 200
        except (OSError, HTTPException):
            return False

    def watch(self) -> None:
        """Notice an end that nobody asked for; called now and then."""
        if self.is_up and self._has_ended():
            self._go_down()
            self._note_end(self._life)

    def kill(self) -> bool:
        """End it with SIGKILL and start it again; False if there was none."""
        with self._guard:
            if not self.bridge.is_running or self._is_over:
                return False
            self._go_down()
            self.bridge.kill()
            self._tally["kills"] += 1
        self.start()
        return True

    def stop(self) -> None:
        """End it with SIGTERM, as an upgrade does, and start it again."""
        with self._guard:
            if not self.is_up:
                return
            self._go_down()
            life = self._life
            self.bridge.ask_to_stop()
        self._tally["stops"] += 1
        threading.Thread(target=self._wait_for_stop, args=(life,), daemon=True).start()

    def _wait_for_stop(self, life: int) -> None:
        ends_at = time.monotonic() + STOP_SECONDS
        while self._life == life and not self._has_ended():
            if not self.bridge.is_running or self._is_over:
                return  # killed meanwhile
            if time.monotonic() > ends_at:
                self.bugs.append(f"a stop took more than {STOP_SECONDS:g} s")
                self.kill()
                return
            time.sleep(LOOK)
        with self._guard:
            if self._life != life or not self.bridge.is_running:
                return
            if code := self.bridge.wait():
                self.bugs.append(f"a stop ended with {code}")
        self.start()

    def freeze(self, seconds: float) -> None:
        """Stop its clock with SIGSTOP, and let it go on after a while."""
        with self._guard:
            if not self.bridge.is_running:
                return
            pid, disturbance = self.bridge.pid, self._weather.begin()
            os.kill(pid, signal.SIGSTOP)
        self._tally["freezes"] += 1
        time.sleep(seconds)
        with self._guard:
            if self.bridge.is_running and self.bridge.pid == pid:
                os.kill(pid, signal.SIGCONT)
        disturbance.end()

    def close(self) -> None:
        """End it for good."""
        with self._guard:
            self._is_over = True
            self._life += 1
            self.bridge.kill()
            self.is_up = False

    def _go_down(self) -> None:
        self.is_up = False
        if self._absence is None:
            self._absence = self._weather.begin()
        self._changed()

    def _end_absence(self) -> None:
        if self._absence is not None:
            self._absence.end()
            self._absence = None
