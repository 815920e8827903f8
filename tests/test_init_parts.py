"""The parts of ``bridge init`` that need no terminal: forms, pictures, the file."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import SendError
from bridge.sandbox.green_api import GreenApiSandbox, linking
from bridge.sandbox.server import SandboxServer
from bridge.setup.create_app import link
from bridge.setup.draft import Draft
from bridge.setup.env_file import EnvFile, NotWritten, changed
from bridge.setup.pastes import Paste, Refusal, likely_urls, recognise
from bridge.setup.png import NoCode, read_code
from bridge.setup.slack_app import has_browser
from bridge.whatsapp.console import Console, NoQr
from tests.harness import APP_TOKEN, BOT_TOKEN, GREEN_TOKEN, make_green

ROOT = Path(__file__).parents[1]
SCREEN = {"DISPLAY": ":0"}


def test_the_link_is_the_one_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")

    found = re.search(r"https://api\.slack\.com/apps\?new_app\S+", readme)

    assert found is not None
    assert link() == found[0]


def test_what_the_link_creates_is_what_the_manifest_says() -> None:
    from urllib.parse import parse_qs, urlsplit

    (text,) = parse_qs(urlsplit(link()).query)["manifest_yaml"]

    assert yaml.safe_load(text) == yaml.safe_load((ROOT / "manifest.yml").read_text())


# --- what a paste is --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (BOT_TOKEN, ["SLACK_BOT_TOKEN"]),
        (f"  {APP_TOKEN}\n", ["SLACK_APP_TOKEN"]),
        (f"SLACK_BOT_TOKEN={BOT_TOKEN}", ["SLACK_BOT_TOKEN"]),
        (f'"{BOT_TOKEN}",', ["SLACK_BOT_TOKEN"]),
        ("7105000001", ["GREEN_API_ID_INSTANCE"]),
        ("123456789012", ["GREEN_API_ID_INSTANCE"]),
        (
            f"{GREEN_TOKEN} 7105000001",
            ["GREEN_API_TOKEN_INSTANCE", "GREEN_API_ID_INSTANCE"],
        ),
        ("idInstance: 7105000001", ["GREEN_API_ID_INSTANCE"]),
        ("apiUrl https://7105.api.greenapi.com", ["GREEN_API_URL"]),
        ("mediaUrl https://7105.media.greenapi.com", []),
        ("", []),
    ],
)
def test_values_are_recognised_by_their_form(text: str, names: list[str]) -> None:
    found = recognise(text)

    assert [each.name for each in found if isinstance(each, Paste)] == names
    assert not [each for each in found if isinstance(each, Refusal)]


@pytest.mark.parametrize(
    ("text", "say"),
    [
        ("xoxp-1-2", "user token"),
        ("xoxe.xoxb-1-2", "rotation"),
        ("xoxe-1-2", "configuration token"),
        ("xoxa-2-1", "old kind"),
        ("xwfp-1", "workflow"),
        ("gac.1234567890", "partner token"),
        ("c0ffee0516e1c0ffee0516e1c0ffee05", "signing secret"),
        ("3512345678", "MAX"),
        ("4112345678", "Telegram"),
        ("http://7105.api.greenapi.com", "not the address"),
        ("https://api.slack.com/apps", "not the address"),
        ("https://[", "recognise"),
        ("123456789", "recognise"),
        ("+4915123456789", "recognise"),
        ("xoxb-äöü-1", "recognise"),
    ],
)
def test_what_is_none_of_them_is_named(text: str, say: str) -> None:
    (found,) = recognise(text)

    assert isinstance(found, Refusal)
    assert say in found.say


@given(st.text(max_size=80))
def test_no_paste_is_repeated_in_a_refusal(text: str) -> None:
    words = [word for word in text.split() if len(word) > 8]

    for found in recognise(text):
        if isinstance(found, Refusal):
            assert not [word for word in words if word in found.say]


def test_a_copied_address_with_the_token_in_it_keeps_only_the_host() -> None:
    copied = f"https://7105.api.greenapi.com/waInstance7105000001/qr/{GREEN_TOKEN}"

    assert recognise(copied) == [
        Paste("GREEN_API_URL", "https://7105.api.greenapi.com")
    ]


@pytest.mark.parametrize(
    ("id_instance", "url"),
    [
        ("7103000001", "https://7103.api.greenapi.com"),
        ("1103000001", "https://1103.api.green-api.com"),
        ("9903000001", "https://api.p03.green-api.com"),
        ("7712000001", "https://7700.api.greenapi.com"),
        ("5712000001", "https://5700.api.green-api.com"),
    ],
)
def test_the_address_is_proposed_from_the_id(id_instance: str, url: str) -> None:
    urls = likely_urls(id_instance)

    assert urls[0] == url
    assert urls[-1] == "https://api.green-api.com"


class Silent:
    """A terminal that nobody reads."""

    def say(self, text: str) -> None:
        pass


def test_another_instances_address_goes_with_its_id() -> None:
    pool = "https://7103.api.greenapi.com"
    draft = Draft({"GREEN_API_ID_INSTANCE": "7103000001", "GREEN_API_URL": pool})

    draft.take(Silent(), "7103000002")  # type: ignore[arg-type]
    assert draft.offers["GREEN_API_URL"] == pool

    draft.take(Silent(), "7105000001")  # type: ignore[arg-type]
    assert "GREEN_API_URL" not in draft.offers


@pytest.mark.parametrize(
    ("environment", "is_seen"),
    [
        (SCREEN, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({}, False),
        ({**SCREEN, "SSH_CONNECTION": "1 2 3 4"}, False),
    ],
)
def test_a_browser_is_opened_only_where_it_is_seen(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], is_seen: bool
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("sys.platform", "linux")

    assert has_browser(True, environment) is is_seen
    assert not has_browser(False, environment)


def test_root_opens_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)

    assert not has_browser(True, SCREEN)


# --- what GREEN-API answers -------------------------------------------------------


@pytest.fixture
def green() -> Iterator[GreenApiSandbox]:
    green = make_green()
    green.switches.rate_limits = False
    yield green
    green.close()


@pytest.fixture
def console(green: GreenApiSandbox) -> Iterator[Console]:
    with SandboxServer([green.blueprint()]) as server:
        client = Console(green.id_instance, green.token, server.url)
        yield client
        client.close()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"type": "error", "message": "starting"}, "starting"),
        ({"type": "error"}, ""),
        ({"type": "timeoutExpired", "message": ""}, ""),
        ({"type": "qrCode", "message": "%%%"}, "it is no picture"),
        ({}, ""),
    ],
)
def test_no_code_to_scan_is_no_error_of_ours(
    green: GreenApiSandbox, console: Console, body: dict[str, str], why: str
) -> None:
    green.fault("qr", status=200, body=body)

    with pytest.raises(NoQr) as caught:
        console.qr(patience=0)

    assert str(caught.value) == why


def test_the_picture_may_come_as_an_address(
    green: GreenApiSandbox, console: Console
) -> None:
    body = {"type": "qrCode", "message": "data:image/png;base64,aGVsbG8="}
    green.fault("qr", status=200, body=body)

    assert console.qr(patience=0) == b"hello"


@pytest.mark.parametrize(
    "body",
    [
        {"status": False, "code": ""},
        {"status": True},
        {"status": True, "code": "\x1b[2J"},
        {"status": True, "code": "A" * 17},
        {"status": True, "code": ""},
    ],
)
def test_what_is_no_code_to_type_is_none(
    green: GreenApiSandbox, console: Console, body: dict[str, object]
) -> None:
    green.fault("getAuthorizationCode", status=200, body=body)

    assert console.get_authorization_code(4915123456789) is None


def test_an_answer_that_makes_no_sense_is_an_error(
    green: GreenApiSandbox, console: Console
) -> None:
    green.fault("getAuthorizationCode", status=200, body="<html>")

    with pytest.raises(SendError):
        console.get_authorization_code(4915123456789)


# --- the picture ------------------------------------------------------------------


def png(
    rows: list[list[bool]],
    *,
    scale: int = 3,
    colour: int = 0,
    depth: int = 8,
    kind: int = 0,
) -> bytes:
    """Draw rows in one of PNG's ways, with one of its filters."""
    margin = [False] * 4
    wide = [[False] * (len(rows) + 8)] * 4
    cells = [*wide, *([*margin, *row, *margin] for row in rows), *wide]
    pixels = [
        [c for c in row for _ in range(scale)] for row in cells for _ in range(scale)
    ]
    lines = [line_of(row, colour, depth) for row in pixels]
    step = max(1, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * depth // 8)
    above = bytes(len(lines[0]))
    raw = b""
    for line in lines:
        raw += bytes([kind]) + filtered(line, above, step, kind)
        above = line
    side = len(pixels)
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    packed = zlib.compress(raw)
    palette = b"\x00\x00\x00\xff\xff\xff"
    parts = [(b"IHDR", header), (b"PLTE", palette)]
    parts += [(b"IDAT", packed[:50]), (b"IDAT", packed[50:]), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(c)) + k + c + b"crc!" for k, c in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def line_of(row: list[bool], colour: int, depth: int) -> bytes:
    if depth == 1:
        bits = "".join("0" if dark else "1" for dark in row).ljust(
            -len(row) % 8 + len(row), "0"
        )
        return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    dark, light = {
        0: (b"\x00", b"\xff"),
        2: (b"\x10\x20\x30", b"\xff\xff\xff"),
        3: (b"\x00", b"\x01"),
        4: (b"\x00\xff", b"\x00\x00"),  # white is what one can see through
        6: (b"\x00\x00\x00\xff", b"\xff\xff\xff\xff"),
    }[colour]
    return b"".join(dark if each else light for each in row)


def filtered(line: bytes, above: bytes, step: int, kind: int) -> bytes:
    def guess(x: int) -> int:
        left = line[x - step] if x >= step else 0
        corner = above[x - step] if x >= step else 0
        paeth = min(
            (left, above[x], corner), key=lambda v: abs(left + above[x] - corner - v)
        )
        return [0, left, above[x], (left + above[x]) // 2, paeth][kind]

    return bytes((line[x] - guess(x)) & 0xFF for x in range(len(line)))


@pytest.mark.parametrize("scale", [1, 2, 3, 7])
def test_the_modules_are_found_at_any_size(scale: int) -> None:
    modules = linking.squares(1)

    assert read_code(png(modules, scale=scale)) == modules


@pytest.mark.parametrize(
    ("colour", "depth"), [(0, 1), (0, 8), (2, 8), (3, 1), (3, 8), (4, 8), (6, 8)]
)
@pytest.mark.parametrize("kind", range(5))
def test_every_usual_kind_of_png_is_read(colour: int, depth: int, kind: int) -> None:
    modules = linking.squares(2)

    assert read_code(png(modules, colour=colour, depth=depth, kind=kind)) == modules


BROKEN: list[Callable[[bytes], bytes]] = [
    lambda good: b"",
    lambda good: b"GIF89a",
    lambda good: good[:30],
    lambda good: good[:200],
    lambda good: good.replace(b"IDAT", b"junk"),
    lambda good: good[:24] + b"\x10" + good[25:],  # 16 bits
    lambda good: good[:28] + b"\x01" + good[29:],  # interlaced
    lambda good: good[:16] + b"\x00\xff\xff\xff" + good[20:],  # enormous
]


@pytest.mark.parametrize("breaks", BROKEN)
def test_what_is_no_code_is_refused(breaks: Callable[[bytes], bytes]) -> None:
    with pytest.raises(NoCode):
        read_code(breaks(png(linking.squares(3))))


@pytest.mark.parametrize(
    "rows", [[[False] * 25] * 25, [[True] * 25] * 25, [[True] * 3] * 3]
)
def test_another_picture_is_refused(rows: list[list[bool]]) -> None:
    with pytest.raises(NoCode):
        read_code(png(rows))


# --- the file ---------------------------------------------------------------------


def test_a_name_that_stands_twice_is_set_once() -> None:
    assert changed("A=1\nB=2\nA=3\n", {"A": "4"}) == "A=4\nB=2\n"


def test_a_line_that_is_no_setting_stays() -> None:
    text = "what is this\n\tB = 2 # mine\n"

    assert changed(text, {"A": "1"}) == f"{text}A=1\n"


def test_a_file_behind_a_link_is_changed_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    real = tmp_path / "kept" / "bridge.env"
    real.write_text("A=1\n")
    named = tmp_path / ".env"
    named.symlink_to(real)

    EnvFile(named).write({"A": "2"})

    assert named.is_symlink()
    assert real.read_text() == "A=2\n"


def test_the_backup_is_what_was_there_before_the_first_of_two_changes(
    tmp_path: Path,
) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    file = EnvFile(path)

    file.write({"A": "2"})
    file.write({"B": "3"})

    assert path.read_text() == "A=2\nB=3\n"
    assert (tmp_path / ".env.bak").read_text() == "A=1\n"


def test_a_new_file_has_no_backup(tmp_path: Path) -> None:
    file = EnvFile(tmp_path / ".env")

    file.write({"A": "1"})
    file.write({"A": "2"})

    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match="can't be written"):
        EnvFile(tmp_path / "nowhere" / ".env").write({"A": "1"})
