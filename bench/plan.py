"""How much of everything is measured, and what a section works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bench.check import Verdict, judge
from bench.load import Ack, commands, one_by_one
from bench.rig import App, NotMeasured, Rig
from bench.table import Row


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of one bench; the defaults are those of a whole one."""

    warm_up: int = 20  # commands before anything is timed, one of each user
    rounds: int = 4
    acks: int = 50  # a round, one at a time
    crowd_rounds: int = 2
    crowd: int = 250  # a round, 50 at a time
    lone: int = 20  # commands to an idle app
    burst: int = 1000
    script_seconds: float = 18.0  # after which the script's burst is cut off
    paced: int = 500
    costed: int = 200  # commands whose CPU time is counted
    costed_tls: int = 100
    history: int = 1_000_000  # rows
    claims: int = 200
    idle_seconds: float = 10.0
    starts: int = 7


QUICK = Plan(
    rounds=1,
    acks=20,
    crowd_rounds=1,
    crowd=60,
    lone=4,
    burst=200,
    script_seconds=3.2,
    paced=150,
    costed=50,
    costed_tls=20,
    history=100_000,
    claims=50,
    idle_seconds=3.0,
    starts=3,
)


@dataclass
class Bench:
    """One run: the rig, the sizes, and what went wrong."""

    rig: Rig
    plan: Plan
    say: Callable[[str], None]
    faults: list[str] = field(default_factory=list)

    async def warm_up(self, app: App) -> None:
        """Let an app do what only the first command of each user costs.

        Raises:
            NotMeasured: it does not ack.
        """
        first, *others = commands(self.plan.warm_up)
        acks = await one_by_one(app.typist, [first])
        if acks[0].acked_at is None:
            raise NotMeasured(f"{app.kind.name} does not ack")
        await one_by_one(app.typist, others)

    async def judge(self, what: str, acks: Sequence[Ack]) -> Verdict:
        """Wait until all that was promised arrived, and judge it."""
        promised = sum(ack.is_queued for ack in acks)
        await self.rig.until_posted(promised, 60.0)
        verdict = judge(acks, await self.rig.posts())
        if not verdict.is_clean:
            self.faults.append(f"{what}: {verdict}")
        refused = sum(not ack.is_queued for ack in acks)
        if refused:
            self.say(f"{what}: {refused} of {len(acks)} commands were not queued")
        return verdict


Section = Callable[[Bench], Awaitable[list[Row]]]
