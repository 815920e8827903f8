"""What names a chat, and above all what does not."""

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.errors import Code, CommandError
from bridge.recipient import e164, read_recipient, split_recipient

quick = settings(max_examples=300, deadline=None)

# Pieces that meet in front of a number, so that chance finds the odd meetings.
WORDS = r"""
+7900123456 +79001234567 79001234567 +49 30 1234567 +4930123 0044 (0) 20 7946 0958
+39 06 +44(0) 8 67 /8 .0 -5 5 @c.us @g.us 120363043219876561 tel: mailto: < > | " “ ”
* _ ` ( ) + + - . / : , ; @ # ! a Hello ٠ ＋ ７ − ² ① &lt; &amp;
<tel:+79001234567|79001234567> <mailto:79001234567@c.us>
"""  # noqa: RUF001
BLANKS_AND_MARKS = " \n\t\u00a0\u2028\0\ud800\u200b\u200e\u202e\u00ad"
PIECES = st.sampled_from(WORDS.split()) | st.sampled_from(BLANKS_AND_MARKS)
NUMBERS = st.sampled_from(
    [
        "+79001234567",
        "79001234567",
        "0044 20 7946 0958",
        "+44 (0) 20 7946 0958",
        "+7 900 123-45-67",
        "+7 (900) 1234567",
        "+49 30 12345678",
        "+39 06 12345678",
        '"+7 900 123-45-67"',
        "<tel:+79001234567|+7 900 123-45-67>",
        "120363043219876561@g.us",
    ]
)
ANYTHING = st.lists(PIECES | st.characters(), max_size=8).map("".join)
BREAKS = st.sampled_from(["", " ", " ", "\n", ": ", ",", "\u200b", " 5", " 67", "/8"])
TEXTS = ANYTHING | st.tuples(NUMBERS, BREAKS, ANYTHING).map("".join)


class CountedNumbers:
    """The real check of numbers, counting how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, digits: str) -> str | None:
        self.asked.append(digits)
        return e164(digits)


def refusal(text: str) -> Code:
    with pytest.raises(CommandError) as caught:
        split_recipient(text)
    return caught.value.code


def ascii_digits(text: str) -> str:
    return "".join(str(int(c)) for c in text if c.isdecimal())


def is_in_order(part: str, whole: str) -> bool:
    rest = iter(whole)
    return all(c in rest for c in part)


@pytest.mark.parametrize(
    ("text", "digits", "rest"),
    [
        ("+44 (0) 20 7946 0958 Hi", "442079460958", " Hi"),
        ("+44(0)2079460958 Hi", "442079460958", " Hi"),
        ("+44 (0)20 7946 0958 Hi", "442079460958", " Hi"),
        ("+44(0)207946 0958 Hi", "442079460958", " Hi"),
        ("0044 20 7946 0958 Hi", "442079460958", " Hi"),
        ("+39 06 12345678 Hi", "390612345678", " Hi"),
        ("+39 (0)6 12345678 Hi", "390612345678", " Hi"),
        ("+7 900\u00a0123-45-67 Hi", "79001234567", " Hi"),
        ("+7\t900\t1234567\tHi", "79001234567", "\tHi"),
        ("(+7) 900 123-45-67 Hi", "79001234567", " Hi"),
        ("+7 900 123-45-67, Hi", "79001234567", " Hi"),
        ("+7 900 123-45-67: 5 apples", "79001234567", " 5 apples"),
        ("+7 900 123-45-67 -- 5 apples", "79001234567", " -- 5 apples"),
        ("+7 900 123-45-67 12:30", "79001234567", " 12:30"),
        ("+493012345678 5 apples", "493012345678", " 5 apples"),
        ("+6834002 5 apples", "6834002", " 5 apples"),
        ("\uff0b\uff17 900 1234567 Hi", "79001234567", " Hi"),
        ('"+49 30 1234567" 89 Hi', "49301234567", " 89 Hi"),
        ("“+7 900 123-45-67”: Hi", "79001234567", " Hi"),
        ("*+7 900 123-45-67* Hi", "79001234567", " Hi"),
        ("*<tel:+79001234567|+7 900 123-45-67>* Hi", "79001234567", " Hi"),
        ("<tel:+79001234567|call me>, Hi", "79001234567", " Hi"),
        ("<TEL:+79001234567> Hi", "79001234567", " Hi"),
        ("\u200b \u200e79001234567@C.US\u200e Hi", "79001234567", " Hi"),
    ],
)
def test_the_number_ends_where_a_person_ends_it(text, digits, rest):
    assert split_recipient(text) == (f"{digits}@c.us", rest)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        # digits that may belong to the number or to the text
        ("+39 06 1234 5678 Hi", Code.AMBIGUOUS_NUMBER),
        ("+49 30 123456 78 Hi", Code.AMBIGUOUS_NUMBER),
        ("+4930123 4567 Hi", Code.AMBIGUOUS_NUMBER),
        ("<tel:+4930123|+4930123> 4567 Hi", Code.AMBIGUOUS_NUMBER),
        ("+7900123456 7 apples", Code.AMBIGUOUS_NUMBER),
        ("+790012345 67 apples", Code.AMBIGUOUS_NUMBER),
        ("+7 900 123-45-6 7 apples", Code.AMBIGUOUS_NUMBER),
        ("+358-9-12345 67 Hi", Code.AMBIGUOUS_NUMBER),
        ("<tel:+7900123|+7900123> 4567 Hi", Code.AMBIGUOUS_NUMBER),
        ("+7 900 123-45-67 8: Hi", Code.AMBIGUOUS_NUMBER),
        ("+7 900 123-45-67 8\nHi", Code.AMBIGUOUS_NUMBER),
        # a 0 that may be dialled or not
        ("+992 (0)37 21 2345 6 Hi", Code.AMBIGUOUS_NUMBER),
        ("+992 (0)9171-8385 Hi", Code.AMBIGUOUS_NUMBER),
        # two numbers in one, and what a spreadsheet makes of one
        ("+49301234567/8 Hi", Code.AMBIGUOUS_NUMBER),
        ("+4930123456/78 Hi", Code.AMBIGUOUS_NUMBER),
        ("49301234567.0 Hi", Code.AMBIGUOUS_NUMBER),
        ("+4930123456,+4930123457 Hi", Code.NUMBER_FORMAT),
        ("7.9001234567e10 Hi", Code.NUMBER_FORMAT),
        # digits the phone library would drop or change
        ("+54 11 15 2345 6789 Hi", Code.NUMBER_INVALID),
        ("+7 8 900 123-45-67 Hi", Code.NUMBER_INVALID),
        ("+1 1 415 555 2671 Hi", Code.NUMBER_INVALID),
        ("+1 415 (0) 555 2671 Hi", Code.AMBIGUOUS_NUMBER),
        ("+79001234567;ext=5 Hi", Code.NUMBER_FORMAT),
        ("+79001234567 ext", None),
        # nobody is there
        ("+881612345678 Hi", Code.NUMBER_INVALID),
        ("+979123456789 Hi", Code.NUMBER_INVALID),
        ("+80012345678 Hi", Code.NUMBER_INVALID),
        # where a number begins and ends
        ("\u202e79001234567 Hi", Code.NUMBER_FORMAT),
        ("79001234567\u202d Hi", Code.NUMBER_FORMAT),
        ("79001234567\0 Hi", Code.NUMBER_FORMAT),
        ("79001234567+ Hi", Code.NUMBER_FORMAT),
        ("++79001234567 Hi", Code.NUMBER_FORMAT),
        (".79001234567 Hi", Code.NUMBER_FORMAT),
        ("7️⃣9001234567 Hi", Code.NUMBER_FORMAT),
        ("*79001234567 Hi*", Code.NUMBER_FORMAT),
        ('"79001234567"Hi', Code.NUMBER_FORMAT),
        ('"" Hi', Code.NUMBER_FORMAT),
        ("+79001234567Hi", Code.NUMBER_FORMAT),
        # links
        ("<tel:+7900123456|+7900123456>7 Hi", Code.NUMBER_FORMAT),
        ("<tel:79001234567@c.us> Hi", Code.NUMBER_FORMAT),
        ("<mailto:79001234567|x> Hi", Code.NUMBER_FORMAT),
        ("<mailto:bob@example.com|79001234567@c.us> Hi", Code.NUMBER_FORMAT),
        ("<mailto:bob@example.com|bob@example.com> Hi", Code.CHAT_ID_FORMAT),
        ("<tel:+79001234567|\u202e76543210097+> Hi", Code.NUMBER_FORMAT),
        ("<tel:+79001234567|+79001234567 Hi", Code.NUMBER_FORMAT),
        ("<https://wa.me/79001234567> Hi", Code.NUMBER_FORMAT),
        ("<79001234567> Hi", Code.NUMBER_FORMAT),
        ("&lt;tel:+79001234567|x&gt; Hi", Code.NUMBER_FORMAT),
        # chat ids
        ("79001234567@c.u\u017f Hi", Code.CHAT_ID_FORMAT),
        ("\uff17\uff1900123456@c.us Hi", Code.CHAT_ID_FORMAT),
        ("79001234567@c.us\n@g.us Hi", None),
        ("12345678901234567890@c.us Hi", Code.CHAT_ID_FORMAT),
        ("79001234567@lid Hi", Code.CHAT_ID_FORMAT),
        ("@79001234567 Hi", Code.RECIPIENT_MENTION),
        ("#79001234567 Hi", Code.RECIPIENT_MENTION),
        ("<#C1|79001234567> Hi", Code.RECIPIENT_MENTION),
    ],
)
def test_what_could_mean_somebody_else_is_refused(text, code):
    if code is None:  # the start is right, the rest is text
        assert split_recipient(text)[0] == "79001234567@c.us"
    else:
        assert refusal(text) is code


def test_a_typed_zero_in_brackets_is_refused_when_both_numbers_exist():
    numbers = {"490301234567": "490301234567", "49301234567": "49301234567"}

    with pytest.raises(CommandError) as caught:
        read_recipient("+49 (0)30 1234567", numbers.get)

    assert caught.value.code is Code.AMBIGUOUS_NUMBER


def test_a_number_without_plus_must_be_complete_as_typed():
    assert refusal("490202123456 Hi") is Code.NUMBER_INVALID
    assert split_recipient("+490202123456 Hi")[0] == "49202123456@c.us"


@quick
@given(TEXTS)
@example("+44 (0) 20 7946 0958 Hello")
def test_an_accepted_chat_has_the_digits_that_were_typed(text):
    try:
        chat_id, rest = split_recipient(text)
    except CommandError:
        return
    assert text.endswith(rest)
    typed = ascii_digits(text.removesuffix(rest))
    digits = ascii_digits(chat_id)
    assert is_in_order(digits, typed)
    if "<" not in text:  # a link may say its number twice
        assert typed in {digits, f"00{digits}"} or (
            "0" in typed and len(typed.removeprefix("00")) == len(digits) + 1
        )


@quick
@given(TEXTS)
def test_a_person_is_addressed_by_a_valid_number_or_a_typed_chat_id(text):
    try:
        chat_id, rest = split_recipient(text)
    except CommandError:
        return
    if chat_id.endswith("@c.us") and "@" not in text.removesuffix(rest):
        number = phonenumbers.parse("+" + chat_id.removesuffix("@c.us"))
        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.format_number(number, 0) == "+" + chat_id[:-5]


@quick
@given(TEXTS)
def test_the_message_is_cut_off_at_a_blank(text):
    try:
        _, rest = split_recipient(text)
    except CommandError:
        return
    assert not rest or rest[0].isspace()


@quick
@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), st.text(max_size=9))
def test_a_number_alone_reads_the_same_as_before_any_word(number, word):
    def outcome(text):
        try:
            return split_recipient(text)[0]
        except CommandError as err:
            return err.code

    assert outcome(number) == outcome(f"{number} x{word}")


@pytest.mark.parametrize(
    "piece", ["9 ", "9", "123 ", "(", "(0)", "-", "\u202e", "\u0301"]
)
def test_the_work_does_not_grow_with_the_text(piece):
    asked = []
    for size in (100, 100_000):
        numbers = CountedNumbers()
        with pytest.raises(CommandError):
            split_recipient("+7 " + piece * size, numbers)
        asked.append(numbers.asked)

    assert asked[0] == asked[1]
    assert len(asked[0]) <= 20


def test_only_the_start_is_looked_at():
    numbers = CountedNumbers()
    groups = "+4 9 3 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9"

    with pytest.raises(CommandError):
        split_recipient(f"{groups} 5 6 7 8 9", numbers)

    assert max(map(len, numbers.asked)) <= 16


@pytest.mark.parametrize("part", ["", " ", "\u200b", "79001234567 Hi", "+7" * 1000])
def test_a_whole_part_must_be_the_recipient(part):
    with pytest.raises(CommandError):
        read_recipient(part)
