"""What a command means; ``corpus/commands.jsonl`` is the long list."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.command import Help, SendText, Status, parse_command, parse_plain
from bridge.errors import Code, CommandError

quick = settings(max_examples=200, deadline=None)

CORPUS = Path(__file__).parent / "corpus" / "commands.jsonl"
ROWS = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


def row_id(row):
    return f"{row['id']}-{row['why']}"


@pytest.mark.parametrize("row", [r for r in ROWS if r["expect"]["ok"]], ids=row_id)
def test_corpus_text_reaches_the_chat_it_names(row):
    command = parse_command(row["text"])

    assert isinstance(command, SendText)
    assert command.chat_id == row["expect"]["chat_id"]
    assert command.text == row["expect"].get("message", command.text)


@pytest.mark.parametrize("row", [r for r in ROWS if not r["expect"]["ok"]], ids=row_id)
def test_corpus_text_is_refused(row):
    try:
        command = parse_command(row["text"])
    except CommandError as err:
        code = err.code
    else:
        assert command == Help()
        code = Code.USAGE

    assert code in row["expect"]["accept"]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("help", Help()),
        (" Help me", Help()),
        ("STATUS", Status()),
        ("status 3f9a0c", Status("3f9a0c")),
        ("status  3f9a0c of yesterday", Status("3f9a0c")),
        ("status a\0b", Status("ab")),
        ("status \0", Status()),
    ],
)
def test_a_word_at_the_start_asks_for_help_or_status(text, command):
    assert parse_command(text) == command


@pytest.mark.parametrize("text", ["helper x", "help: x", "status@broadcast x"])
def test_other_words_ask_for_nothing(text):
    with pytest.raises(CommandError):
        parse_command(text)


def test_mentions_without_a_name_keep_the_markup():
    command = parse_command("79001234567  <@U1> &amp; <@U2|jo> ")

    assert command == SendText(
        "79001234567@c.us", "@someone & @jo", "<@U1> &amp; <@U2|jo>"
    )


def test_known_names_need_no_markup():
    command = parse_command("79001234567 <@U2|jo> &lt;@U1&gt;")

    assert command == SendText("79001234567@c.us", "@jo <@U1>")


@pytest.mark.parametrize("nothing", ["\u200b", "\0", "\u202e \u2060"])
def test_a_text_nobody_can_see_is_no_text(nothing):
    with pytest.raises(CommandError) as caught:
        parse_command(f"79001234567 {nothing}")

    assert caught.value.code is Code.MESSAGE_REQUIRED


def test_an_emoji_newer_than_python_is_a_text():
    assert parse_command("79001234567 \U0001fbff").text == "\U0001fbff"


def test_the_limit_counts_the_text_that_whatsapp_gets():
    assert (
        parse_command("79001234567 &amp;&amp;&amp; :tada:", max_text=5).text == "&&& 🎉"
    )
    with pytest.raises(CommandError) as caught:
        parse_command("79001234567 &amp;&amp;&amp; :tada:", max_text=4)
    assert caught.value.code is Code.MESSAGE_TOO_LONG


@pytest.mark.parametrize("piece", ["<@U1>", ":tada:", "&amp;", "*", "`", "<", "x\n• "])
def test_an_endless_text_is_refused_unread(piece):
    with pytest.raises(CommandError) as caught:
        parse_command("79001234567 " + piece * 100_000, max_text=20_000)

    assert caught.value.code is Code.MESSAGE_TOO_LONG
    assert "20,000" in str(caught.value)


def test_a_wrong_number_is_reported_before_an_endless_text():
    with pytest.raises(CommandError) as caught:
        parse_command("7900123456 " + "x" * 100_000)

    assert caught.value.code is Code.NUMBER_LENGTH


@quick
@given(st.text() | st.text().map("79001234567 {}".format), st.integers(1, 20))
def test_only_command_errors_are_raised(text, max_text):
    try:
        command = parse_command(text, max_text)
    except CommandError:
        return
    if isinstance(command, SendText):
        assert 0 < len(command.text) <= max_text
        assert command.text == command.text.strip()
        assert "\0" not in command.text
        command.text.encode()


def test_the_command_line_takes_its_text_as_it_is():
    command = parse_plain("+49 30 123456 78", " <@U1> &amp; :tada: ")

    assert command == SendText("493012345678@c.us", "<@U1> &amp; :tada:")


@pytest.mark.parametrize(
    ("target", "text", "code"),
    [
        ("", "Hi", Code.NUMBER_FORMAT),
        ("help", "Hi", Code.NUMBER_FORMAT),
        ("+79001234567 Hi", "Hi", Code.NUMBER_FORMAT),
        ("+49 30 1234567 8", "Hi", Code.AMBIGUOUS_NUMBER),
        ("7 900 123 45 6", "Hi", Code.NUMBER_LENGTH),
        ("<@U1>", "Hi", Code.CHAT_ID_FORMAT),
        ("9" * 1000, "Hi", Code.NUMBER_LENGTH),
        ("79001234567", " \n", Code.MESSAGE_REQUIRED),
        ("79001234567", "x" * 4097, Code.MESSAGE_TOO_LONG),
        ("79001234567", "x" * 100_000, Code.MESSAGE_TOO_LONG),
    ],
)
def test_the_command_line_obeys_the_same_rules(target, text, code):
    with pytest.raises(CommandError) as caught:
        parse_plain(target, text)

    assert caught.value.code is code


@quick
@given(st.text(), st.text())
def test_the_command_line_raises_only_command_errors(target, text):
    try:
        command = parse_plain(target, text)
    except CommandError:
        return
    command.text.encode()
