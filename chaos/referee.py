"""The invariants, judged from plain data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from chaos.cases import (
    by_delivery,
    cases_of,
    judge_sending,
    judge_storing,
    judge_telling,
)
from chaos.evidence import Asked, Evidence
from chaos.promises import ACK_SECONDS, TICKS, Kind, Violation
from chaos.words import says_queued


def judge(evidence: Evidence) -> list[Violation]:
    """Return every broken promise; empty when all were kept."""
    cases = list(cases_of(evidence).values())
    replies = by_delivery(evidence.lines, ":reply")
    cards = by_delivery(evidence.lines, ":root")
    found: list[Violation] = []
    for case in cases:
        found += judge_storing(case)
        found += judge_sending(case, replies)
        for row in case.rows:
            found += judge_telling(row, replies.get(row.id, []), cards)
    found += _judge_lines(evidence)
    found += _judge_repeats(evidence)
    found += _judge_ticks(evidence)
    found += _judge_order(evidence)
    found += _judge_posts(evidence)
    found += _judge_acks(evidence)
    found += _judge_the_rest(evidence)
    return found


def _judge_lines(evidence: Evidence) -> Iterator[Violation]:
    """I1: no card, reply or note is there twice."""
    keys = Counter(line.key for line in evidence.lines if line.key)
    for key, times in keys.items():
        if times > 1:
            said = [line.texts for line in evidence.lines if line.key == key]
            yield Violation(Kind.REPLIED_TWICE, f"{key}: {said}")


def _judge_repeats(evidence: Evidence) -> Iterator[Violation]:
    """I2: one decision to send again makes one new delivery."""
    repeated = Counter(row.retry_of for row in evidence.rows if row.retry_of)
    for delivery, times in repeated.items():
        if times > 1:
            yield Violation(Kind.DOUBLED, f"{delivery}: repeated {times} times")
        if delivery not in evidence.pressed:
            yield Violation(Kind.DOUBLED, f"{delivery}: repeated, and nobody asked")


def _judge_ticks(evidence: Evidence) -> Iterator[Violation]:
    """I3: a delivery stands where its receipts put it, in whatever order they came."""
    rows = {row.id_message: row for row in evidence.rows if row.id_message}
    for entry in evidence.ledger:
        ticks = [tick for word, tick in TICKS.items() if word in entry.receipts]
        if entry.id in rows and rows[entry.id].status != (ticks or ["accepted"])[0]:
            told = f"{entry.text!r} is {rows[entry.id].status}: {set(entry.receipts)}"
            yield Violation(Kind.WRONG_TICK, told)


def _judge_order(evidence: Evidence) -> Iterator[Violation]:
    """I4: a chat gets its messages in the order in which they were stored.

    Only pairs that people could order count: the one was answered before the other
    was typed.
    """
    asked = {(a.chat_id, a.text): a for a in evidence.asked}
    typed = Counter((a.chat_id, a.text) for a in evidence.asked)
    repeated = {row.retry_of for row in evidence.rows if row.retry_of}
    again = {(r.chat_id, r.text) for r in evidence.rows if r.id in repeated}
    chats: dict[str, list[Asked]] = defaultdict(list)
    for entry in evidence.ledger:
        key = (entry.chat_id, entry.text)
        if typed[key] == 1 and key not in again:
            chats[entry.chat_id].append(asked[key])
    for sent in chats.values():
        newest = sent[0]
        for each in sent:
            if says_queued(each.ack) and each.answered_at < newest.typed_at:
                what = f"{each.text!r} after {newest.text!r} to {each.chat_id}"
                yield Violation(Kind.OUT_OF_ORDER, what)
            newest = max(newest, each, key=lambda asked: asked.typed_at)


def _judge_posts(evidence: Evidence) -> Iterator[Violation]:
    """I11: no POST leaves before its attempt is on the disk."""
    came: Counter[tuple[str, str]] = Counter()
    for post in evidence.posts:
        key = (post.chat_id, post.text)
        came[key] += 1
        if post.attempts is not None and came[key] > post.attempts:
            what = f"{post.text!r}: POST {came[key]}, {post.attempts} attempts stored"
            yield Violation(Kind.POST_WITHOUT_ATTEMPT, what)


def late(asked: Asked) -> bool:
    """Whether a bridge that was up and reachable answered too late, or not at all."""
    is_late = asked.ack is None or asked.seconds > ACK_SECONDS
    return asked.is_undisturbed and is_late


def _judge_acks(evidence: Evidence) -> Iterator[Violation]:
    """I9."""
    for asked in filter(late, evidence.asked):
        yield Violation(Kind.LATE_ACK, f"{asked.text!r}: {asked.seconds:.1f} s")


def _judge_the_rest(evidence: Evidence) -> Iterator[Violation]:
    """I5 to I8, and what nobody may ever see."""
    if not evidence.rested:
        yield Violation(Kind.LEFT_OVER, "the bridge did not come to rest")
    if evidence.lanes:
        yield Violation(Kind.LEFT_OVER, f"{evidence.lanes} lanes are still taken")
    for key in evidence.incoming - evidence.kept:
        yield Violation(Kind.INBOUND_LOST, key)
    if evidence.dead_letters < evidence.odd:
        what = f"{evidence.odd} odd, {evidence.dead_letters} dead letters"
        yield Violation(Kind.INBOUND_LOST, what)
    for leak in evidence.leaks:
        yield Violation(Kind.LEAK, leak)
    if evidence.integrity != "ok":
        yield Violation(Kind.DAMAGED, evidence.integrity)
    for bug in evidence.bugs:
        yield Violation(Kind.BUG, bug)
