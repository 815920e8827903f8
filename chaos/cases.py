"""What is judged of each text: its storing, its sending, its telling.

Commands with the same chat and text are judged together: nobody can tell twins apart,
so of them only the counts have to agree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from chaos.evidence import Accepted, Asked, Evidence, Line, Row
from chaos.promises import FINAL, Kind, Violation
from chaos.words import Claim, claim_of, id_in, says_no, says_queued


@dataclass(slots=True)
class Case:
    """All that concerns one text to one chat."""

    chat_id: str
    text: str
    asked: list[Asked] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    ledger: list[Accepted] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.text!r} to {self.chat_id}"


def cases_of(evidence: Evidence) -> dict[tuple[str, str], Case]:
    """Return everything by chat and text."""
    cases: dict[tuple[str, str], Case] = {}

    def case(chat_id: str, text: str) -> Case:
        return cases.setdefault((chat_id, text), Case(chat_id, text))

    for asked in evidence.asked:
        case(asked.chat_id, asked.text).asked.append(asked)
    for row in evidence.rows:
        case(row.chat_id, row.text).rows.append(row)
    for accepted in evidence.ledger:
        case(accepted.chat_id, accepted.text).ledger.append(accepted)
    return cases


def by_delivery(lines: Iterable[Line], ending: str) -> dict[str, list[Line]]:
    """Return the lines whose key ends so, by the delivery they are about."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.key.endswith(ending):
            found[line.key.removesuffix(ending)].append(line)
    return found


def judge_storing(case: Case) -> Iterator[Violation]:
    """I1, first half: what the acks said is what was stored."""
    promised = sum(says_queued(asked.ack) for asked in case.asked)
    refused = sum(says_no(asked.ack) for asked in case.asked)
    stored = sum(row.retry_of is None for row in case.rows)
    if stored < promised:
        yield Violation(Kind.LOST, f"{case}: {promised} queued, {stored} stored")
    if stored > len(case.asked) - refused:
        what = f"{case}: {len(case.asked)} typed, {refused} refused, {stored} stored"
        yield Violation(Kind.STORED_THOUGH_REFUSED, what)


def judge_telling(
    row: Row, replies: list[Line], cards: dict[str, list[Line]]
) -> Iterator[Violation]:
    """I1, second half, and I6: one final answer, and nothing left to do."""
    where = f"{row.id[:8]} {row.text!r} ({row.status})"
    if row.status not in FINAL or not row.is_told:
        yield Violation(Kind.LEFT_OVER, where)
        return
    if not replies:
        yield Violation(Kind.LOST, f"{where}: no reply")
    shown = cards.get(row.id, [])
    if len(replies) == len(shown) == 1:
        card, reply = shown[0].texts[-1], replies[0].texts[-1]
        if claim_of(card) is not claim_of(reply):
            told = f"{where}: card {card!r}, reply {reply!r}"
            yield Violation(Kind.FALSE_CLAIM, told)


def judge_sending(case: Case, replies: dict[str, list[Line]]) -> Iterator[Violation]:
    """I2 and I3: what the replies say is what GREEN-API has."""
    said = [line for row in case.rows for line in replies.get(row.id, [])[:1]]
    claims = Counter(claim_of(line.texts[-1]) for line in said)
    taken, sure = len(case.ledger), claims[Claim.SENT]
    silent = len(case.rows) - len(said)  # judged elsewhere
    if taken > len(case.rows):
        yield Violation(Kind.DOUBLED, f"{case}: {taken} times, {len(case.rows)} asked")
    elif taken > sure + claims[Claim.UNSURE] + silent:
        yield Violation(Kind.FALSE_CLAIM, f"{case}: not sent, but it was")
    elif taken < sure:
        yield Violation(Kind.FALSE_CLAIM, f"{case}: sent, but it was not")
    yield from _judge_words(case, said)
    if taken > sure and claims[Claim.UNSURE]:
        seen = sum(accepted.was_seen for accepted in case.ledger)
        if seen > sure:
            yield Violation(Kind.UNSEEN_EVIDENCE, f"{case}: unsure, but it was seen")


def _judge_words(case: Case, said: list[Line]) -> Iterator[Violation]:
    ids = Counter(entry.id for entry in case.ledger)
    named = Counter(filter(None, (id_in(line.texts[-1]) for line in said)))
    for id_message, times in named.items():
        if times > ids[id_message]:
            told = f"{case}: idMessage {id_message} is not, or twice, its own"
            yield Violation(Kind.FALSE_CLAIM, told)
    is_single = len(case.rows) == 1
    for text in (text for line in said for text in line.texts):
        claim = claim_of(text)
        if is_single and claim is Claim.NOT_SENT and case.ledger:
            yield Violation(Kind.FALSE_CLAIM, f"{case}: once said {text!r}")
        if claim is Claim.SENT and not case.ledger:
            yield Violation(Kind.FALSE_CLAIM, f"{case}: once said {text!r}")
