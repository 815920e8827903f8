"""Who plays the rounds: each in a process of its own, several at once if wanted."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Self

from chaos.plan import Plan
from chaos.postgres import new_database
from chaos.promises import Kind, Violation
from chaos.rounds import Verdict, play

IsEnough = Callable[[], bool]


class Company:
    """Plays plans; a context manager.

    A process for each round: memory stays flat, and what one leaves behind the next
    does not see.

    Args:
        server: The address of a PostgreSQL; None when no plan needs it.
        jobs: How many rounds may be played at the same moment.
    """

    def __init__(self, server: str | None, jobs: int) -> None:
        self._server = server
        self._jobs = jobs
        self._pool = ProcessPoolExecutor(
            jobs,
            mp_context=multiprocessing.get_context("spawn"),
            max_tasks_per_child=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def play(self, plan: Plan) -> Verdict:
        """Play one plan."""
        return _result(self._begin(plan))

    def play_all(
        self, plans: Iterator[Plan], is_enough: IsEnough
    ) -> Iterator[tuple[Plan, Verdict]]:
        """Play plans until it is enough; yield each as it ends."""
        under_way: dict[Future[Verdict], Plan] = {}
        while True:
            while len(under_way) < self._jobs and not is_enough():
                plan = next(plans)
                under_way[self._begin(plan)] = plan
            if not under_way:
                return
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                yield under_way.pop(future), _result(future)

    def _begin(self, plan: Plan) -> Future[Verdict]:
        return self._pool.submit(play_on, self._server, plan)


def _result(future: Future[Verdict]) -> Verdict:
    try:
        return future.result()
    except Exception as err:  # noqa: BLE001 - the plan that did it is worth keeping
        trace = "".join(traceback.format_exception(err))
        return Verdict([Violation(Kind.BUG, f"the harness: {err!r}")], output=trace)


def play_on(server: str | None, plan: Plan) -> Verdict:
    """Play a plan on the database it names."""
    if plan.database == "sqlite":
        return play(plan)
    if server is None:
        raise ValueError("this plan needs PostgreSQL")
    with new_database(server) as address:
        return play(plan, address)
