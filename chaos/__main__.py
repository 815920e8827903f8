"""``python -m chaos``: kill it, cut it off, lie to it; then count."""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from chaos.company import Company, IsEnough
from chaos.mix import Size, draw
from chaos.mutants import MUTANTS
from chaos.plan import Database, Plan, Transport, read_plan, write_plan
from chaos.postgres import open_server
from chaos.rounds import Verdict
from chaos.shrink import shrink
from chaos.table import render, render_faults

MOST_ROUNDS = 12  # in which a planted fault has to be found
SHOWN = 12  # broken promises of one round that are printed
ROUND = Size(commands=100, kills=12, seconds=10)
# With so many kills hardly a command has three quiet seconds, which a missing ack needs
# to be noticed; so now and then nobody is killed.
CALM = Size(commands=100, kills=0, seconds=10)
CALM_EVERY = 5
ROUND_SECONDS = 30.0  # what such a round takes, all in all


@click.command()
@click.option("--seed", type=int, help="Of the first round; random if not given.")
@click.option("--seconds", type=float, default=60, show_default=True)
@click.option("--commands", type=int, help="Instead of --seconds: at least so many.")
@click.option("--kills", type=int, default=0, help="With --commands: at least so many.")
@click.option("--database", type=click.Choice(["sqlite", "postgres"]))
@click.option("--transport", type=click.Choice(["socket", "http"]))
@click.option("--jobs", type=int, default=2, show_default=True, help="Rounds at once.")
@click.option("--plan", "file", type=click.Path(exists=True, path_type=Path))
@click.option("--mutants", is_flag=True, help="Plant known faults; find each of them.")
@click.option("--shrink", "is_shrinking", is_flag=True, help="With --plan: bisect it.")
def main(file: Path | None, is_shrinking: bool, mutants: bool, **options: Any) -> None:
    """Play rounds in which everything goes wrong, and count what was promised.

    Each has a fresh world and a plan drawn from its own seed: the first has --seed, the
    next one more. They take turns with the databases and the ways in, unless told
    otherwise; on PostgreSQL two bridges share one database.

    Exit code 1: a promise was broken. The plan of that round is then in the working
    directory; --plan plays it again.
    """
    database: Database | None = "sqlite" if mutants else options["database"]
    with _company(options["jobs"], file, database) as company:
        if file is not None:
            total = _replay(company, read_plan(file), is_shrinking)
        elif mutants:
            sys.exit(1 if _hunt(company, options["seed"] or 0) else 0)
        else:
            total = _run(company, **options)
    sys.exit(1 if total.violations else 0)


@contextmanager
def _company(
    jobs: int, file: Path | None, database: Database | None
) -> Iterator[Company]:
    wanted = read_plan(file).database if file is not None else database
    with ExitStack() as stack:
        is_needed = wanted != "sqlite"
        server = stack.enter_context(open_server()) if is_needed else None
        yield stack.enter_context(Company(server, jobs))


def _replay(company: Company, plan: Plan, is_shrinking: bool) -> Verdict:
    verdict = company.play(plan)
    _tell(plan, verdict)
    if is_shrinking and verdict.violations:

        def fails(steps: tuple[Any, ...]) -> bool:
            click.echo(f"{len(steps)} of {len(plan.steps)} steps …", err=True)
            return bool(company.play(plan.with_steps(steps)).violations)

        smaller = plan.with_steps(shrink(plan.steps, fails))
        path = write_plan(smaller, Path.cwd())
        click.echo(f"{len(smaller.steps)} steps are left: {path}")
    click.echo(render(verdict, 1, plan.seed))
    return verdict


def _hunt(company: Company, seed: int) -> list[str]:
    """Plant each known fault; return those that were not found."""
    survivors = []
    for name, (_, kinds) in MUTANTS.items():
        for number in itertools.count(1):
            size = CALM if number % 2 == 0 else ROUND
            plan = draw(seed + number, size, "sqlite", "socket")
            verdict = company.play(replace(plan, mutant=name))
            found = kinds & {violation.kind for violation in verdict.violations}
            if found:
                click.echo(f"{name}: found in round {number}: {', '.join(found)}")
                break
            if number == MOST_ROUNDS:
                click.echo(f"{name}: NOT FOUND in {number} rounds")
                survivors.append(name)
                break
    return survivors


def _run(company: Company, *, seed: int | None, **options: Any) -> Verdict:
    first = random.randrange(1_000_000) if seed is None else seed  # noqa: S311
    click.echo(f"seed {first}", err=True)
    total, rounds, began_at = Verdict(), 0, time.monotonic()
    plans = _plans(first, options["database"], options["transport"])
    for plan, verdict in company.play_all(plans, _enough(total, began_at, options)):
        _tell(plan, verdict)
        total.add(verdict)
        rounds += 1
    total.seconds = time.monotonic() - began_at
    click.echo(render_faults(total.figures))
    click.echo(render(total, rounds, first))
    return total


def _plans(
    first: int, database: Database | None, transport: Transport | None
) -> Iterator[Plan]:
    databases = itertools.cycle([database] if database else ["sqlite", "postgres"])
    # As long as the other cycle, but out of step with it: every pair has its turn.
    ways = itertools.cycle(
        [transport] if transport else ["socket", "http", "http", "socket"]
    )
    for seed in itertools.count(first):
        size = ROUND if seed % CALM_EVERY else CALM
        yield draw(seed, size, next(databases), next(ways))  # type: ignore[arg-type]


def _enough(total: Verdict, began_at: float, options: dict[str, Any]) -> IsEnough:
    def is_enough() -> bool:
        if options["commands"] is not None:
            done = total.figures
            is_typed = done["commands"] >= options["commands"]
            return bool(is_typed and done["kills"] >= options["kills"])
        left = options["seconds"] - (time.monotonic() - began_at)
        return bool(left < ROUND_SECONDS / 2)

    return is_enough


def _tell(plan: Plan, verdict: Verdict) -> None:
    figures, wrong = verdict.figures, len(verdict.violations)
    click.echo(
        f"round {plan.seed} ({plan.database}, {plan.transport}): "
        f"{figures['commands']} commands, {figures['kills']} kills, "
        f"{verdict.seconds:.0f} s: {f'{wrong} WRONG' if wrong else 'all kept'}",
        err=True,
    )
    if not wrong:
        return
    path = write_plan(plan, Path.cwd())
    path.with_suffix(".log").write_text(
        "\n".join([*map(str, verdict.violations), verdict.output]), "utf-8"
    )
    for violation in verdict.violations[:SHOWN]:
        click.echo(f"  {violation.kind}: {violation.what}")
    if wrong > SHOWN:
        click.echo(f"  … and {wrong - SHOWN} more")
    click.echo(f"  Play it again: make chaos ARGS='--plan {path}'")


if __name__ == "__main__":
    main()
