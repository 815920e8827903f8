"""What is to be seen on this machine: files, settings, database, port, packages."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from requests.utils import should_bypass_proxies

from bridge import settings as module
from bridge.doctor.case import Case
from bridge.doctor.findings import Area, Finding, Row
from bridge.doctor.machine import holder_of, network_filesystem, why_not_bound
from bridge.settings_table import LOOPBACK
from bridge.store.inspection import Inspection
from bridge.store.room import Disk, disk_of
from bridge.wording.doctor import DISK_IS_LOW


def check_env_file(case: Case) -> Finding:
    """See whether others on this machine can read the secrets."""
    row = Row("env-file", Area.HERE)
    path = case.env_file or Path(".env")
    if case.exposed:
        names = " ".join(shlex.quote(str(each)) for each in case.exposed)
        return row.problem(
            f"others on this machine can read the secrets in {names}; the bridge does "
            "not start with that",
            f"chmod 600 {names}",
            is_mendable=True,
        )
    if not path.is_file():
        return row.ok("none; the settings come from the environment")
    return row.ok(f"{path}, for its owner only")


def check_configuration(case: Case) -> Finding:
    """See whether the bridge would start with these settings."""
    row = Row("configuration", Area.HERE)
    if case.problems:
        return row.problem(
            "\n".join(case.problems), "Correct .env, or let bridge init write it."
        )
    way = "Socket Mode" if case.settings.uses_socket_mode else "HTTP"
    return row.ok(f"{way}, {case.settings.green_api_receive}")


def check_names(case: Case) -> Finding:
    """Look for names that look like settings and are none."""
    row = Row("names", Area.HERE)
    doubtful = module.doubtful(case.environment)
    if doubtful:
        return row.warning("\n".join(doubtful), "Rename or remove them in .env.")
    return row.ok("every setting is one that the bridge reads")


def check_proxy(case: Case) -> Finding:
    """Say which way the requests take."""
    row = Row("proxy", Area.HERE)
    proxies = getproxies_environment()
    proxy = proxies.get("https") or proxies.get("all")
    hosts = [urlsplit(case.settings.slack_api_url).hostname or ""]
    hosts.append(urlsplit(case.settings.green_api_url).hostname or "")
    if proxy is None or all(host in LOOPBACK for host in hosts):
        return row.ok("none")
    address = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    name = f"{address.hostname}:{address.port or 80}"
    if address.scheme not in {"http", "https"}:
        return row.problem(
            f"the proxy {name} is of a kind that can't be used ({address.scheme})",
            "Set HTTPS_PROXY to an http:// or https:// proxy.",
        )
    if case.settings.uses_socket_mode and should_bypass_proxies(
        case.settings.slack_api_url, no_proxy=None
    ):
        return row.warning(
            f"NO_PROXY exempts {hosts[0]}, but Socket Mode goes through {name} all "
            "the same",
            "Let that proxy pass WebSockets, or unset HTTPS_PROXY for the bridge.",
        )
    return row.ok(f"{name}, for Slack and GREEN-API")


def check_storage(case: Case) -> Finding:
    """See whether what is accepted can be kept."""
    row = Row("storage", Area.HERE)
    found = case.storage
    if found.trouble is not None:
        return row.problem(found.trouble, "See docs/troubleshooting.md.")
    if found.path is None:
        return _server(row, found)
    kind = network_filesystem(found.path)
    if kind is not None:
        return row.problem(
            f"{found.path} is on a network file system ({kind}), where SQLite loses "
            "data",
            "Set BRIDGE_DATA_DIR to a local disk, or use PostgreSQL (DATABASE_URL).",
        )
    return judge_file(row, found, found.path, disk_of(found.path.absolute().parent))


def _server(row: Row, found: Inspection) -> Finding:
    if not found.is_made:
        return row.ok("PostgreSQL, still empty; bridge run makes the tables")
    running = f", {found.runner}" if found.runner else ""
    return row.ok(f"PostgreSQL, schema {found.schema}{running}")


def judge_file(row: Row, found: Inspection, path: Path, disk: Disk | None) -> Finding:
    """Say how the SQLite file is and whether it has room to grow."""
    if disk is not None and disk.is_low:
        fact, _, to_do = DISK_IS_LOW.partition(". ")
        return row.problem(f"{path}: {_size(disk.free)} free. {fact}", to_do)
    free = f", {_size(disk.free)} free" if disk else ""
    if not found.is_made:
        folder = next(each for each in path.absolute().parents if each.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            return row.problem(
                f"{path} can't be made: this user can't write to {folder}",
                "Set BRIDGE_DATA_DIR to a folder that this user may write to.",
            )
        return row.ok(f"{path} will be made by bridge run{free}")
    if not found.is_current:
        return row.ok(f"{path}, schema {found.schema}; bridge run updates it{free}")
    if found.journal != "wal":
        return row.warning(
            f"{path} can't be used with a write-ahead log ({found.journal})",
            "Put it on a local disk: the bridge is slow and may lock up like this.",
        )
    return row.ok(f"{path}, schema {found.schema}{free}")


def _size(size: int) -> str:
    """Return a number of bytes for people.

    >>> _size(12 * 2**30), _size(150 * 2**20)
    ('12 GB', '150 MB')
    """
    return f"{size >> 30} GB" if size >= 1 << 30 else f"{size >> 20} MB"


def check_running(case: Case) -> Finding:
    """Ask the running bridge what it says at /readyz."""
    row = Row("running", Area.HERE)
    page = case.page
    if page.reasons:
        return row.problem(" ".join(page.reasons.values()), "See the other findings.")
    if page.warnings:
        return row.warning(
            f"it runs; {' '.join(page.warnings.values())}", "See the other findings."
        )
    if page.is_ours:
        return row.ok("yes, and ready")
    if case.storage.copies:
        return row.ok(f"yes: {case.storage.runner}")
    return row.skipped("no; start it with: bridge run")


def check_port(case: Case) -> Finding:
    """See whether the web server can have its port."""
    row = Row("port", Area.HERE)
    host, port = case.settings.host, case.settings.port
    if port == 0:
        return row.skipped("PORT is 0: no web server, so no health pages")
    where = f"{host}:{port}"
    if case.page.is_ours:
        return row.ok(f"{where}, held by the running bridge")
    err = why_not_bound(host, port)
    if err is None:
        return row.ok(f"{where} is free")
    if err.errno == errno.EADDRINUSE:
        return row.problem(
            f"{where} is taken ({holder_of(port) or 'by another program'})",
            "Set PORT to another one, or end that program; in Socket Mode PORT=0 does "
            "without.",
        )
    return row.problem(
        f"{where} can't be used ({err.strerror or type(err).__name__})",
        "Set HOST to an address of this machine and PORT to 1024 or more.",
    )


def proxy_names(environment: Mapping[str, str]) -> list[str]:
    """Return which proxy variables are set, not their values."""
    return sorted(n for n in environment if n.lower().endswith("_proxy"))
