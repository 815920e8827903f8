"""The command line. Each command imports what it needs, so ``--help`` is quick."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from bridge import __version__

if TYPE_CHECKING:
    from bridge.model import Delivery
    from bridge.settings import Settings
    from bridge.store import Store

FAILED = 1
USAGE = 2
UNKNOWN = 3
CONFIGURATION = 78

_env_file = click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    help="Read the settings from this file instead of .env.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(
    help="""Send WhatsApp messages from Slack and get the answer in the thread.

    \b
    bridge demo                                   try it, without any account
    bridge init                                   connect your Slack and WhatsApp
    bridge run                                    the service
    bridge send "+49 151 23456789" "Hello"        send without Slack
    bridge explain "+49 151 23456789 Hello"       what /whatsapp would do
    """
)
@click.version_option(__version__, prog_name="bridge")
def cli() -> None:
    """Collect the commands."""


@cli.command()
@_env_file
def run(env_file: Path | None) -> None:
    """Run the service until it is stopped (Ctrl-C or SIGTERM)."""
    settings = _settings(env_file)
    from bridge.service import serve

    sys.exit(serve(settings))


@cli.command()
@click.option("--data", type=click.Path(path_type=Path), help="Keep the outbox here.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Listen here, or on the next port that is free; 0: on any.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page.")
def demo(data: Path | None, port: int, no_browser: bool) -> None:
    """Try it: a built-in Slack and a built-in GREEN-API on a page in the browser.

    Needs no account, reads no .env, sends nothing out of this machine. A short tour
    is played first; then the page is yours until Ctrl-C. Without a terminal, or with
    CI set, only the tour is played: exit code 0 when all went as expected, else 1.
    """
    from bridge.sandbox.demo import play, whoever_watches

    sys.exit(play(data, port=port, audience=whoever_watches(no_browser=no_browser)))


@cli.command()
@_env_file
@click.option("--print", "prints", is_flag=True, help="Print the settings, write none.")
@click.option("--qr", is_flag=True, help="Link the phone by a QR code.")
@click.option("--no-browser", is_flag=True, help="Open no page, only show its address.")
@click.option("--no-wait", is_flag=True, help="End before the first message.")
@click.option("--yes", is_flag=True, help="Agree to what the bridge needs.")
def init(
    env_file: Path | None,
    prints: bool,
    qr: bool,
    no_browser: bool,
    no_wait: bool,
    yes: bool,
) -> None:
    """Connect your Slack and your WhatsApp, up to the first message.

    What is in .env already is checked and kept; only what is missing or refused is
    asked for. So a token is exchanged by running this again.
    """
    if prints and sys.stdout.isatty():
        raise click.UsageError(
            "--print writes secrets to standard output. Send them somewhere: "
            "bridge init --print > FILE"
        )
    from bridge.setup.journey import Wish, run

    wish = Wish(
        env_file=env_file,
        prints=prints,
        by_qr=qr,
        opens_browser=not no_browser,
        waits=not no_wait,
        yes=yes,
    )
    sys.exit(run(wish))


@cli.command()
@click.argument("target")
@click.argument("text")
@click.option("--no-wait", is_flag=True, help="Return as soon as it is stored.")
@_as_json
@_env_file
def send(
    target: str, text: str, no_wait: bool, as_json: bool, env_file: Path | None
) -> None:
    """Send TEXT to TARGET, a number or a chat id, without Slack.

    Exit code 0: accepted. 1: not sent. 3: may or may not have been sent.
    """
    from bridge.command import parse_plain
    from bridge.errors import CommandError

    settings = _settings(env_file, needs_slack=False)
    try:
        asked = parse_plain(target, text, settings.max_text)
    except CommandError as err:
        _say(str(err))
        sys.exit(USAGE)
    from bridge.direct import send_and_wait

    with _store(settings) as store:
        delivery = send_and_wait(settings, store, asked, wait=not no_wait)
    _print_deliveries([delivery], as_json)
    sys.exit(_exit_code(delivery, no_wait=no_wait))


@cli.command()
@click.option("--limit", default=50, show_default=True, help="At most so many.")
@_as_json
@_env_file
def outbox(limit: int, as_json: bool, env_file: Path | None) -> None:
    """List the deliveries, newest first."""
    settings = _settings(env_file, needs_slack=False)
    with _store(settings) as store:
        _print_deliveries(store.outbox.latest(limit), as_json)


@cli.command()
@_as_json
@_env_file
def stats(as_json: bool, env_file: Path | None) -> None:
    """Show what is open, the account, and what became of the last 24 hours.

    The same figures as /metrics. Unconfirmed deliveries are open as long as late
    evidence is waited for.
    """
    from datetime import UTC, datetime, timedelta

    from bridge.printout import figures
    from bridge.wording import figures as words

    settings = _settings(env_file, needs_slack=False)
    now = datetime.now(UTC)
    with _store(settings) as store:
        standing = store.figures.now_standing()
        flow = store.figures.since(now - timedelta(days=1))
        account = store.accounts.get()
    if as_json:
        click.echo(json.dumps(figures(standing, flow, account, now)))
    else:
        click.echo(words.stats(standing, flow, account, now))


@cli.command()
@click.argument("delivery_id")
@click.option(
    "--even-if-doubled",
    is_flag=True,
    help="Also one that may have been sent: the customer may get it twice.",
)
@_as_json
@_env_file
def retry(
    delivery_id: str, even_if_doubled: bool, as_json: bool, env_file: Path | None
) -> None:
    """Send a delivery again that failed, as a new delivery.

    DELIVERY_ID is the id, or its first eight digits or more.
    """
    from bridge.direct import NotAgain, send_again

    settings = _settings(env_file, needs_slack=False)
    with _store(settings) as store:
        try:
            delivery = send_again(settings, store, delivery_id, even_if_doubled)
        except NotAgain as err:
            _say(str(err))
            sys.exit(FAILED)
    _print_deliveries([delivery], as_json)


@cli.command()
@_env_file
def resume(env_file: Path | None) -> None:
    """Go on with another WhatsApp number than before.

    When a different number is linked, nothing is sent until somebody agrees here:
    customers would be written to from a number they don't know.
    """
    settings = _settings(env_file, needs_slack=False)
    from bridge.clock import SteadyClock
    from bridge.reasons import Reason

    with _store(settings) as store:
        if store.accounts.get().hold is not Reason.OTHER_NUMBER:
            _say("Nothing is on hold because of another number.")
            sys.exit(FAILED)
        store.accounts.release(None, SteadyClock()())
    click.echo("Messages leave from the number that is linked now.")


@cli.command()
@click.argument("text", required=False)
@_as_json
def explain(text: str | None, as_json: bool) -> None:
    """Say what "/whatsapp TEXT" would do, without doing it.

    With --json and no TEXT: reads one JSON string a line, writes one object a line.
    """
    from bridge.printout import explained, explained_in_words

    if text is not None:
        answer = explained(text)
        click.echo(json.dumps(answer) if as_json else explained_in_words(answer))
        sys.exit(0 if answer["ok"] else FAILED)
    if not as_json:
        raise click.UsageError("Give a TEXT, or --json and texts on standard input.")
    for line in sys.stdin:
        if line.strip():
            click.echo(json.dumps(explained(_json_string(line))))


@cli.command()
@click.option("--example", is_flag=True, help="Print the text of .env.example.")
@_as_json
@_env_file
def config(example: bool, as_json: bool, env_file: Path | None) -> None:
    """Show the settings in force, secrets hidden, and every problem."""
    from bridge import settings as module
    from bridge.errors import SettingsError

    if example:
        click.echo(module.example(), nl=False)
        return
    environment = _environment(env_file)
    rows = module.shown(environment)
    problems = module.doubtful(environment)
    try:
        module.load(environment)
        usable = True
    except SettingsError as err:
        problems = [*err.problems, *problems]
        usable = False
    if as_json:
        values = {s.name: {"value": v, "origin": o} for s, v, o in rows}
        click.echo(json.dumps({"schema": 1, "settings": values, "problems": problems}))
    else:
        for setting, value, origin in rows:
            note = "" if origin == "set" else f"  ({origin})"
            click.echo(f"{setting.name}={value}{note}")
        for problem in problems:
            _say(problem)
    sys.exit(0 if usable else CONFIGURATION)


@cli.command()
@click.option("--only", metavar="WORDS", help="slack, green, here, or single checks.")
@click.option("--fix", "wants_fix", is_flag=True, help="Mend what can be; asks first.")
@click.option("--yes", "-y", is_flag=True, help="With --fix: don't ask.")
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings, too.")
@click.option("--bundle", "wants_bundle", is_flag=True, help="For an issue: masked.")
@_as_json
@_env_file
def doctor(
    only: str | None,
    wants_fix: bool,
    yes: bool,
    strict: bool,
    wants_bundle: bool,
    as_json: bool,
    env_file: Path | None,
) -> None:
    """Find out what is wrong, and what to do about it.

    Only looks, unless --fix is given. Exit code 0: fine. 1: something is broken. 78: it
    is not configured.
    """
    from bridge.doctor.visit import Wanted, visit
    from bridge.errors import SettingsError
    from bridge.settings import environment_as_it_is

    try:
        environment = environment_as_it_is(env_file)
    except SettingsError as err:
        _refuse(err.problems)
    try:
        wanted = Wanted.of(only, as_json, wants_bundle, wants_fix, yes, strict)
    except ValueError as err:
        raise click.UsageError(str(err)) from None
    sys.exit(visit(environment, env_file, wanted))


@cli.command()
@click.option("--live", is_flag=True, help="Only whether it answers at all: /livez.")
@_env_file
def healthcheck(live: bool, env_file: Path | None) -> None:
    """Ask the running bridge whether it is well: for Docker's HEALTHCHECK.

    Exit code 0: it can take messages. 1: it can't, or does not answer.
    """
    from bridge.doctor.running import ALIVE, READY, verdict
    from bridge.errors import SettingsError
    from bridge.settings import environment_as_it_is, usable

    try:
        settings = usable(environment_as_it_is(env_file))
    except SettingsError as err:
        _refuse(err.problems)
    page = ALIVE if live else READY
    is_well, line = verdict(settings.host, settings.port, page)
    click.echo(line)
    sys.exit(0 if is_well else FAILED)


@cli.command()
@_as_json
def version(as_json: bool) -> None:
    """Print the version."""
    python = ".".join(map(str, sys.version_info[:3]))
    if as_json:
        answer = {"schema": 1, "version": __version__, "python": python}
        click.echo(json.dumps(answer))
    else:
        click.echo(f"bridge {__version__} (Python {python})")


def main() -> None:
    """Run the command line; the exit code of Ctrl-C is 130."""
    from bridge import logs
    from bridge.errors import NotStored, StoreError

    logs.fill_closed_streams()
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as err:
        err.show()
        sys.exit(err.exit_code)
    except StoreError as err:
        _say(str(err))
        sys.exit(CONFIGURATION)
    except NotStored as err:
        from bridge.wording.deliveries import not_stored

        _say(not_stored(err))
        sys.exit(FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _environment(env_file: Path | None) -> dict[str, str]:
    from bridge.errors import SettingsError
    from bridge.settings import environment

    try:
        return environment(env_file)
    except SettingsError as err:
        _refuse(err.problems)


def _settings(env_file: Path | None, *, needs_slack: bool = True) -> Settings:
    from bridge import logs
    from bridge import settings as module
    from bridge.errors import SettingsError

    environment = _environment(env_file)
    try:
        settings = module.load(environment, needs_slack=needs_slack)
    except SettingsError as err:
        _refuse([*err.problems, *module.doubtful(environment)])
    logs.configure(
        settings.log_level if needs_slack else "ERROR",
        settings.log_format,
        settings.secrets(),
    )
    for sentence in module.doubtful(environment):
        _say(sentence)
    return settings


def _refuse(problems: list[str]) -> NoReturn:
    noun = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    _say(f"The bridge can't start: {noun} with the settings.")
    for problem in problems:
        _say(f"  - {problem}")
    _say("The settings come from the environment and from .env; see .env.example.")
    sys.exit(CONFIGURATION)


class _store:  # noqa: N801 - reads as a function: with _store(settings) as store
    def __init__(self, settings: Settings) -> None:
        from bridge.parts import open_outbox

        self._opened = open_outbox(settings)

    def __enter__(self) -> Store:
        return self._opened

    def __exit__(self, *_: object) -> None:
        self._opened.database.close()


def _print_deliveries(deliveries: list[Delivery], as_json: bool) -> None:
    from bridge.printout import row
    from bridge.wording.masks import mask_chat

    if as_json:
        rows = [row(delivery) for delivery in deliveries]
        click.echo(json.dumps({"schema": 1, "deliveries": rows}))
        return
    for delivery in deliveries:
        end = delivery.id_message or delivery.reason or "-"
        click.echo(
            f"{delivery.id[:8]}  {delivery.created_at:%Y-%m-%dT%H:%M:%SZ}  "
            f"{delivery.status:<9} {mask_chat(delivery.chat_id):<18} "
            f"{delivery.attempts}x  {end}"
        )


def _exit_code(delivery: Delivery, *, no_wait: bool) -> int:
    from bridge.model import Status

    if delivery.status is Status.UNDELIVERED:
        return FAILED
    if delivery.status.is_accepted or (no_wait and not delivery.status.is_final):
        return 0
    return UNKNOWN if delivery.status.is_doubtful else FAILED


def _json_string(line: str) -> str:
    try:
        text = json.loads(line)
    except ValueError:
        text = None
    if not isinstance(text, str):
        raise click.UsageError("Each line of standard input must be a JSON string.")
    return text
