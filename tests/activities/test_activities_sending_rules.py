"""When a mail is tried again, and what an answer means: pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from counterfoil.activities.rules.message import address_of, one_line
from counterfoil.activities.rules.sending import (
    GIVEN_UP_AFTER,
    is_bad_address,
    is_exhausted,
    next_attempt_at,
    wait_before,
)
from counterfoil.activities.rules.wording import sentence, text

START = datetime(2026, 4, 1, 12, tzinfo=UTC)


def test_it_waits_longer_each_time_and_then_every_four_hours() -> None:
    """1, 5, 15, 30 minutes, 1, 2, 4 hours, and 4 hours from then on."""
    minutes = [int(wait_before(attempt, seed=10).total_seconds() // 60) for attempt in range(1, 10)]
    assert minutes == [1, 5, 15, 30, 60, 120, 240, 240, 240]


@pytest.mark.parametrize("seed", range(0, 21, 5))
def test_mails_do_not_come_in_step(seed: int) -> None:
    """The wait is moved by at most a tenth, by the mail's own number."""
    assert timedelta(minutes=216) <= wait_before(9, seed) <= timedelta(minutes=264)
    assert wait_before(9, 0) != wait_before(9, 20)


def test_tries_end_after_five_days() -> None:
    """A server that is down for five days has been tried 36 times; then a person hears of it."""
    at, tries = START, 0
    while True:
        tries += 1
        again = next_attempt_at(attempt=tries, first_at=START, at=at, seed=10)
        if again is None:
            break
        at = again
    assert at - START <= GIVEN_UP_AFTER
    assert tries == 36


def test_an_open_fate_is_repeated_once() -> None:
    """Two silent servers, or five stops of the product, and nothing more goes out by itself."""
    assert not is_exhausted(["delayed", "unknown", "delayed"])
    assert is_exhausted(["unknown", "delayed", "unknown"])
    assert not is_exhausted(["interrupted"] * 4)
    assert is_exhausted(["interrupted"] * 5)


@pytest.mark.parametrize(
    ("code", "words", "is_bad"),
    [
        (550, "5.1.1 No such user", True),
        (550, "No such user here", True),
        (553, "5.1.3 bad syntax", True),
        (550, "5.2.1 mailbox disabled", True),
        (550, "5.7.1 message looks like spam", False),
        (552, "5.3.4 message too big", False),
        (554, "Transaction failed", False),
        (None, "This is not an e-mail address.", False),
    ],
)
def test_a_bad_address_is_told_from_a_dislike(code: int | None, words: str, is_bad: bool) -> None:
    """Only answers about the mailbox speak against the address; those about size, spam or us do not."""
    assert is_bad_address(code, words) is is_bad


def test_a_name_cannot_begin_another_header() -> None:
    """Line breaks and other characters that cannot be printed become spaces; the name may hold commas."""
    assert one_line("Acme\r\nBcc: spy@evil.example\x00") == "Acme Bcc: spy@evil.example"
    assert address_of("Works, Inc. <a@b.example>") == ("Works, Inc.", "a@b.example")
    assert address_of("a@b.example") == ("", "a@b.example")


def test_an_event_says_itself_in_words() -> None:
    """Amounts have their currency's decimals, days are short, lists are joined, missing values leave nothing behind."""
    payload = {
        "number": "2026-7",
        "total": "1234.5000",
        "currency": "JPY",
        "due_on": "2026-05-03",
        "fields": ["legal_name", "terms"],
        "deal": None,
    }
    kinds = {"total": "Decimal", "due_on": "date"}
    assert sentence("Invoice {number}, {total} {currency}, due {due_on}", {**payload, "total": "1234"}, kinds) == (
        "Invoice 2026-7, 1,234 JPY, due May 3, 2026"
    )
    assert sentence("{total} {currency}", {**payload, "currency": "EUR"}, kinds, "de") == "1.234,50 EUR"
    assert sentence("Changed: {fields} {deal}", payload, kinds) == "Changed: legal name, terms"
    assert text("{text}", {"text": "one\ntwo"}, {}) == "one\ntwo"
