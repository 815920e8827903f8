"""The words for why a text did not get through to WhatsApp."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why one attempt brought no ``idMessage``: ``SendError.reason``.

    The word is stored and counted; ``wording`` turns it into a sentence.
    """

    # Certainly not accepted; later it may be.
    UNREACHABLE = "unreachable"  # no connection to GREEN-API, or it did not hold
    RATE_LIMITED = "rate_limited"  # 429: too many requests a second
    NOT_AUTHORIZED = "not_authorized"  # the phone must be linked again
    STARTING = "starting"  # the instance is being restarted
    INSTANCE_GONE = "instance_gone"  # the instance was not paid for, or deleted
    REFUSED_TOKEN = "refused_token"  # 401  # noqa: S105  # a word, not a token
    REFUSED_INSTANCE = "refused_instance"  # 403: wrong id, or not in the tariff
    WRONG_ADDRESS = "wrong_address"  # 404 or a redirect: wrong API address

    # Certainly not accepted, and never will be.
    QUOTA = "quota"  # 466: the tariff allows no further chat this month
    BAD_REQUEST = "bad_request"  # the recipient or the text was refused
    FILE_TOO_BIG = "file_too_big"

    # May or may not have been accepted.
    NO_ANSWER = "no_answer"  # the request left, and no whole answer came
    SERVER_ERROR = "server_error"  # 499 or 5xx
    GARBLED = "garbled"  # an answer that makes no sense
    CRASHED = "crashed"  # the bridge was stopped while the request was under way

    # The account can't send at the moment.
    BLOCKED = "blocked"  # WhatsApp has banned the number
    OTHER_NUMBER = "other_number"  # another number was linked: an admin must agree

    # Accepted, but WhatsApp says that it will not arrive.
    NO_ACCOUNT = "no_account"  # the number has no WhatsApp
    NOT_IN_GROUP = "not_in_group"  # our account is no member of the group
    RESTRICTED = "restricted"  # our account is limited: yellowCard, suspended
    WHATSAPP_FAILED = "whatsapp_failed"

    # Why the search for evidence ended, and what a person decided then.
    NOT_FOUND = "not_found"  # looked for three minutes while all was well
    NOT_SEARCHABLE = "not_searchable"  # the account was unusable for half an hour
    SENT_AGAIN = "sent_again"
    MARKED_NOT_SENT = "marked_not_sent"
    RESTORED = "restored"  # the database is a backup: it may have been sent since

    # Nothing was attempted.
    NOT_A_MEMBER = "not_a_member"  # a guest, a stranger, a bot
    MEMBER_UNKNOWN = "member_unknown"  # Slack refuses to say who the caller is
    SLACK_UNREACHABLE = "slack_unreachable"  # Slack can't be asked at the moment
    TOO_LONG = "too_long"  # with the names of the people mentioned
    INTERNAL = "internal"  # a bug of ours, three times
