"""The table that sorts GREEN-API's answers, row by row."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Permanent, Retryable, SendError, Unknown
from bridge.reasons import Reason
from bridge.whatsapp import answers
from bridge.whatsapp.answers import Answer

NOW = datetime(2026, 10, 6, 14, 24, 30, tzinfo=UTC)
TOKEN = "c0ffee" * 8 + "42"
QUOTA = {
    "invokeStatus": {"method": "sendmessage", "used": 67, "status": "QUOTE_ALLOWED"},
    "correspondentsStatus": {
        "method": "correspondents",
        "used": 3,
        "total": 3,
        "status": "CORRESPONDENTS_QUOTE_EXCEEDED",
        "description": "You can only send … from these numbers: 12345678901@c.us.",
    },
}
QUOTA_OF_CHECKS = {
    "invokeStatus": {"method": "checkwhatsapp", "used": 100, "status": "QUOTE_EXCEEDED"}
}


def answer(status: int, body: object = b"", **headers: str) -> Answer:
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, raw, NOW)


def live(status: int, message: str) -> Answer:
    """Return an error in the form seen live: it echoes the token."""
    path = f"/waInstance7103000001/sendMessage/{TOKEN}"
    return answer(status, {"statusCode": status, "path": path, "message": message})


def error(given: Answer) -> SendError:
    with pytest.raises(SendError) as caught:
        answers.sent_id(given)
    return caught.value


# 200


@pytest.mark.parametrize(
    "body",
    [
        {"idMessage": "3EB0C767D097B7C7C030"},
        {"idMessage": "BAE5F4886F6F2D05", "urlFile": "https://x"},
        {"idMessage": "x", **QUOTA},
        b' \r\n{"idMessage": "\xd1\x8f"}\n',
    ],
)
def test_an_id_means_accepted(body: object) -> None:
    assert answers.sent_id(answer(200, body)) in {
        "3EB0C767D097B7C7C030",
        "BAE5F4886F6F2D05",
        "x",
        "я",
    }


@pytest.mark.parametrize(
    "body",
    [
        None,  # packed, or too long to be read
        b"",
        b"null",
        b"{}",
        b"[]",
        b'"3EB0C767D097B7C7C030"',
        b'[{"idMessage": "A"}]',
        b"<html><body>Sign in</body></html>",
        b'{"idMessage": "3EB0C767',
        b'{"idMessage": "A"} and more',
        b'{"idMessage": null}',
        b'{"idMessage": ""}',
        b'{"idMessage": "  "}',
        b'{"idMessage": 42}',
        b'{"idMessage": true}',
        b'{"idMessage": ["A"]}',
        b'{"idMessage": {"id": "A"}}',
        b'{"idMessage": "a\\u0000b"}',
        b'{"idMessage": "\\ud83d"}',
        b'{"idMessage": "a\\nb"}',
        b'{"idMessage": "' + b"A" * 257 + b'"}',
        b'{"idmessage": "A"}',
        b'\xef\xbb\xbf{"idMessage": "A"}',
        '{"idMessage": "A"}'.encode("utf-16"),
        '{"idMessage": "é"}'.encode("latin-1"),
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 100_000,
        b'{"reason": "instance account not authorized"}',  # 2020: not believed
        json.dumps(QUOTA).encode(),
    ],
)
def test_f11_f12_any_other_200_is_unknown(body: bytes | None) -> None:
    err = error(answer(200, body))

    assert isinstance(err, Unknown)
    assert err.reason == Reason.GARBLED


# Everything else

STARTING = (Retryable, Reason.STARTING)
NOT_AUTHORIZED = (Retryable, Reason.NOT_AUTHORIZED)
GONE = (Retryable, Reason.INSTANCE_GONE)
BAD = (Permanent, Reason.BAD_REQUEST)
LOST = (Unknown, Reason.SERVER_ERROR)

TABLE = [
    (live(400, "instance in starting process try later"), STARTING),
    (answer(400, b"Instance in starting process try later"), STARTING),
    (live(400, "instance account not authorized"), NOT_AUTHORIZED),
    (answer(400, {"reason": "not authorized"}), NOT_AUTHORIZED),
    (answer(400, {"error": {"text": "Account not authorized"}}), NOT_AUTHORIZED),
    (live(400, "instance is starting or not authorized"), NOT_AUTHORIZED),
    (live(400, "Instance account is expired. Renew it in the console"), GONE),
    (answer(400, b"Instance is deleted"), GONE),
    (live(400, "Validation failed. Details: 'message' is required"), BAD),
    (answer(400, b"bad request data"), BAD),
    (answer(400, b""), BAD),
    (answer(400, None), BAD),
    (answer(400, b"<html>nginx</html>"), BAD),
    (answer(400, b"\xff\xfe\x00"), BAD),
    (answer(400, b"[" * 100_000), BAD),
    (answer(400, {"path": "/waInstance1/not authorized"}), BAD),
    (
        answer(400, b"You have used up the chat limit on your tariff."),
        (Permanent, Reason.QUOTA),
    ),
    (
        live(400, "check phone number timeout limit exceeded"),
        (Retryable, Reason.RATE_LIMITED),
    ),
    (answer(401), (Retryable, Reason.REFUSED_TOKEN)),
    (answer(401, b"Unauthorized"), (Retryable, Reason.REFUSED_TOKEN)),
    (answer(403, b"Forbidden"), (Retryable, Reason.REFUSED_INSTANCE)),
    (live(404, "Cannot POST /…"), (Retryable, Reason.WRONG_ADDRESS)),
    (answer(404, b"<html>nginx</html>"), (Retryable, Reason.WRONG_ADDRESS)),
    *[
        (answer(status), (Retryable, Reason.WRONG_ADDRESS))
        for status in (300, 301, 302, 303, 304, 307, 308, 399)
    ],
    (answer(405), BAD),
    (answer(413), BAD),
    (answer(469), BAD),
    (answer(429, b"Too Many Requests"), (Retryable, Reason.RATE_LIMITED)),
    (answer(466, QUOTA), (Permanent, Reason.QUOTA)),
    (answer(466, QUOTA_OF_CHECKS), (Permanent, Reason.QUOTA)),
    (answer(466, b""), (Permanent, Reason.QUOTA)),
    (
        answer(500, b"File from url exceeded max upload size. Size: 123mb"),
        (Permanent, Reason.FILE_TOO_BIG),
    ),
    (live(500, "request entity too large"), BAD),
    (live(500, "Internal Server Error"), LOST),
    *[
        (answer(status, b"<html>"), LOST)
        for status in (408, 499, 500, 501, 502, 503, 504, 507, 520, 599, 600, 999)
    ],
    *[
        (answer(status, {"idMessage": "A"}), (Unknown, Reason.GARBLED))
        for status in (101, 103, 201, 202, 204, 206, 299)
    ],
]


@pytest.mark.parametrize(
    ("given", "expected"), TABLE, ids=[f"{a.status} {a.body!r:.40}" for a, _ in TABLE]
)
def test_f13_f14_f17_f18_every_answer_has_its_row(
    given: Answer, expected: tuple[type[SendError], Reason]
) -> None:
    err = error(given)

    assert (type(err), err.reason) == expected
    if isinstance(err, Retryable):
        assert err.account == (err.reason != Reason.RATE_LIMITED)
    assert TOKEN not in repr((err, given, vars(err)))
    assert str(err) == err.reason


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("7", 7),
        (" 7 ", 7),
        ("2.5", 2.5),
        ("0", 1),
        ("-1", 1),
        ("1e9", 300),
        ("inf", 300),
        ("-inf", 1),
        ("nan", 1),
        ("9" * 5000, 300),
        ("Tue, 06 Oct 2026 14:24:50 GMT", 20),
        ("Tue, 06 Oct 2026 16:24:50 +0200", 20),
        ("Tue, 06 Oct 2026 14:24:50 -0000", 20),
        ("Tuesday, 06-Oct-26 14:24:50 GMT", 20),
        ("Tue, 06 Oct 2020 14:24:50 GMT", 1),
        ("Tue, 06 Oct 2099 14:24:50 GMT", 300),
        ("Tue, 99 Oct 2026 14:24:50 GMT", None),
        ("Tue, 06 Oct 99999999999 14:24:50 GMT", None),
    ],
)
def test_f15_retry_after_is_1_to_300_seconds(
    value: str | None, pause: float | None
) -> None:
    headers = {} if value is None else {"Retry_After": value}

    err = error(answer(429, **headers))

    assert isinstance(err, Retryable)
    assert err.retry_after == pause


bodies = st.none() | st.binary() | st.text().map(str.encode) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(lambda value: json.dumps(value).encode())  # fmt: skip


number = st.integers(0, 10**12).map(str)
dates = st.builds(
    "{}, {} {} {} {}:{}:{} {}{}".format,
    *[st.sampled_from(["Tue", ""]), number, st.sampled_from(["Oct", "?"])],
    *[number, number, number, number, st.sampled_from("+- "), number],
)


@given(st.integers(100, 999), bodies, st.text() | dates)
def test_no_answer_is_without_a_row(
    status: int, body: bytes | None, pause: str
) -> None:
    given_answer = Answer(status, {"Retry-After": pause}, body, NOW)

    for sort in (answers.sent_id, answers.read):
        try:
            sort(given_answer)
        except SendError as err:
            assert err.reason in Reason
        else:
            assert status == 200


# Reads believe a 200 that refuses


def test_a_read_believes_a_refusal_with_200() -> None:
    reason = "instance is starting or not authorized"
    soft = answer(200, {"status": False, "reason": reason})

    with pytest.raises(Retryable, match=Reason.NOT_AUTHORIZED):
        answers.told(soft, "existsWhatsapp", bool)


@pytest.mark.parametrize("body", [{}, {"result": "yes"}, [], None, 7])
def test_a_field_of_another_kind_is_not_believed(body: object) -> None:
    with pytest.raises(Unknown, match=Reason.GARBLED):
        answers.told(answer(200, json.dumps(body).encode()), "result", bool)
