"""Payment terms: what they can say, in which form, and where they are entered."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from accounts_world import World
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.accounts import commands, queries
from counterfoil.accounts.models import PaymentTerms
from counterfoil.accounts.rules.terms import (
    Discount,
    Due,
    Part,
    Terms,
    due_from,
    part_from,
    problems_of_terms,
    terms_from,
    terms_in_words,
    written_part,
)
from counterfoil.core.errors import Refusal
from staff import Browser, Staff

D = Decimal
THIRDS = [{"percent": "30"}, {"amount": "100.50", "days": "30"}, {"rest": True, "day_of_month": "15", "months": "2"}]


# Rules ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({}, "on the day of issue"),
        ({"due": {"days": 1}}, "1 day after the issue"),
        ({"due": {"days": 30}}, "30 days after the issue"),
        ({"due": {"end_of_month": True}}, "at the end of the month"),
        ({"due": {"end_of_month": True, "days": 30}}, "30 days after the end of the month"),
        ({"due": {"end_of_month": True, "months": 1, "days": 10}}, "10 days after the end of the next month"),
        ({"due": {"end_of_month": True, "months": 2}}, "at the end of the month 2 months later"),
        ({"due": {"days": 15, "then": "end_of_month"}}, "at the end of the month 15 days after the issue"),
        ({"due": {"day_of_month": 15, "months": 1}}, "on day 15 of the next month"),
        (
            {"due": {"days": 30}, "early_discount": {"percent": "2.50", "days": 10}},
            "30 days after the issue; 2.5 % less within 10 days",
        ),
        (
            {
                "instalments": [
                    {"percent": "30"},
                    {"amount": "1000", "due": {"days": 5}},
                    {"rest": True, "due": {"days": 30}},
                ]
            },
            "30 % on the day of issue, 1,000.00 5 days after the issue, the rest 30 days after the issue",
        ),
    ],
)  # fmt: skip
def test_terms_are_read_and_said(written: dict[str, Any], words: str) -> None:
    """Each written form as a sentence says it."""
    assert terms_in_words(terms_from(written)) == words


@pytest.mark.parametrize(
    ("written", "field", "code"),
    [
        ([], "", "not_an_object"),
        ({"dues": {}}, "dues", "unknown_field"),
        ({"due": {"day": 3}}, "due.day", "unknown_field"),
        ({"due": {"days": "3"}}, "due.days", "not_whole"),
        ({"due": {"days": True}}, "due.days", "not_whole"),
        ({"due": {"days": -1}}, "due.days", "out_of_range"),
        ({"due": {"days": 366}}, "due.days", "out_of_range"),
        ({"due": {"end_of_month": "yes"}}, "due.end_of_month", "not_yes_or_no"),
        ({"due": {"days": 3, "then": "later"}}, "due.then", "not_a_choice"),
        ({"due": {"end_of_month": True, "then": "end_of_month"}}, "due.then", "due_twice"),
        ({"due": {"day_of_month": 0}}, "due.day_of_month", "out_of_range"),
        ({"due": {"day_of_month": 32}}, "due.day_of_month", "out_of_range"),
        ({"due": {"day_of_month": 15, "days": 3}}, "due.day_of_month", "due_twice"),
        ({"due": {"months": 1}}, "due.months", "months_of_what"),
        ({"due": {"days": 3}, "instalments": [{"rest": True}]}, "instalments", "due_twice"),
        ({"instalments": {}}, "instalments", "not_a_list"),
        ({"instalments": []}, "instalments", "not_the_whole"),
        ({"instalments": [{"rest": True, "when": 3}]}, "instalments[0].when", "unknown_field"),
        ({"instalments": [{"due": {}}]}, "instalments[0].percent", "not_one_size"),
        ({"instalments": [{"percent": "1", "rest": True}]}, "instalments[0].percent", "not_one_size"),
        ({"instalments": [{"percent": 30}]}, "instalments[0].percent", "not_a_number"),
        ({"instalments": [{"percent": "NaN"}]}, "instalments[0].percent", "not_a_number"),
        ({"instalments": [{"percent": "0.00001"}]}, "instalments[0].percent", "not_a_number"),
        ({"instalments": [{"percent": "0"}, {"rest": True}]}, "instalments[0].percent", "out_of_range"),
        ({"instalments": [{"amount": "-5"}, {"rest": True}]}, "instalments[0].amount", "too_small"),
        ({"instalments": [{"percent": "100", "due": {"months": 2}}]}, "instalments[0].due.months", "months_of_what"),
        ({"instalments": [{"percent": "60"}, {"percent": "30"}]}, "instalments", "not_the_whole"),
        ({"early_discount": {"percent": "2"}}, "early_discount.days", "missing"),
        ({"early_discount": {"percent": "100", "days": 3}}, "early_discount.percent", "out_of_range"),
        ({"early_discount": {"percent": "2", "days": -1}}, "early_discount.days", "out_of_range"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(written: Any, field: str, code: str) -> None:
    """Misspelt, of the wrong kind, out of range, or not the whole."""
    with pytest.raises(Refusal) as refused:
        terms_from(written)
    assert (refused.value.field, refused.value.code) == (field, code)
    if isinstance(written, dict):
        with pytest.raises(Refusal) as refused:
            terms_from(written, "terms[0].")
        assert refused.value.field == f"terms[0].{field}"


@given(
    st.builds(
        Part,
        st.one_of(
            st.builds(Due, days=st.integers(0, 365), then_end_of_month=st.booleans()),
            st.builds(Due, days=st.integers(0, 365), from_end_of_month=st.just(True), months=st.integers(0, 24)),
            st.builds(Due, day_of_month=st.integers(1, 31), months=st.integers(0, 24)),
        ),
        percent=st.decimals("0.0001", "100", places=4),
    )
)
def test_the_written_form_says_all(part: Part) -> None:
    """What is written is read again as it was, through JSON too."""
    assert part_from(json.loads(json.dumps(written_part(part)))) == part
    assert due_from(written_part(part)["due"]) == part.due


def test_possible_terms_have_no_problems() -> None:
    """Any number of sizes with one rest; percentages that make a hundred."""
    parts = (Part(Due(), percent=D(99)), Part(Due(), amount=D(1)), Part(Due(), rest=True))
    assert problems_of_terms(Terms(instalments=parts, early_discount=Discount(D("0.0001"), 365))) == []


# Commands ------------------------------------------------------------------------------------------------------------


def add(world: World, **values: Any) -> Any:
    return commands.add_terms(actor=world.ann, values={"key": "new", "name": "New", "is_active": True, **values})


def test_terms_with_everything_are_kept(world: World) -> None:
    """Instalments and discount are read back as they were given, as a rule and as a row."""
    terms_id = add(world, instalments=THIRDS, discount_percent="2", discount_days="10")
    assert PaymentTerms.objects.get(pk=terms_id).rule == Terms(
        instalments=(
            Part(Due(), percent=D(30)),
            Part(Due(30), amount=D("100.5")),
            Part(Due(day_of_month=15, months=2), rest=True),
        ),
        early_discount=Discount(D(2), 10),
    )
    row = queries.get_terms(world.ann, terms_id)
    assert row.summary == (
        "30 % on the day of issue, 100.50 30 days after the issue, the rest on day 15 of the month 2 months later; "
        "2 % less within 10 days"
    )
    assert [(one["percent"], one["amount"], one["rest"], one["days"]) for one in row.instalments] == [
        (D(30), None, False, 0), (None, D("100.5"), False, 30), (None, None, True, 0),
    ]  # fmt: skip
    world_acme = world.account("Acme GmbH", terms=str(terms_id))
    fact = queries.billing_facts([world_acme], PaymentTerms.objects.get(pk=terms_id).created_at.date())[world_acme]
    assert fact.terms.value is not None
    assert fact.terms.value.rule.early_discount == Discount(D(2), 10)


def test_terms_change_their_shape(world: World) -> None:
    """From days to instalments when both are said at once, and back; an emptied number is none."""
    terms_id = add(world, days="30")
    commands.change_terms(actor=world.ann, terms_id=terms_id, values={"days": "", "instalments": THIRDS}, version=1)
    commands.change_terms(
        actor=world.ann, terms_id=terms_id, values={"instalments": [], "day_of_month": "15", "months": "1"}, version=2
    )
    assert PaymentTerms.objects.get(pk=terms_id).rule == Terms(Due(months=1, day_of_month=15))
    commands.change_terms(
        actor=world.ann, terms_id=terms_id, values={"day_of_month": None, "months": None, "days": "7"}, version=3
    )
    assert PaymentTerms.objects.get(pk=terms_id).rule == Terms(Due(7))


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"instalments": [{"percent": "60"}, {"percent": "30"}]}, "instalments", "not_the_whole"),
        ({"instalments": THIRDS, "days": "3"}, "instalments", "due_twice"),
        ({"instalments": [{"percent": "x"}]}, "instalments.0.percent", "not_a_number"),
        ({"instalments": [{"rest": True, "months": "1"}]}, "instalments.0.months", "months_of_what"),
        ({"discount_percent": "2"}, "discount_days", "missing"),
        ({"discount_percent": "100", "discount_days": "1"}, "discount_percent", "out_of_range"),
        ({"months": "1"}, "months", "months_of_what"),
        ({"day_of_month": "15", "from_end_of_month": True}, "day_of_month", "due_twice"),
    ],
)
def test_terms_that_cannot_be_are_refused(world: World, values: dict[str, Any], field: str, code: str) -> None:
    """At the field that says it, for new ones and for changes, and nothing is written."""
    net_14 = world.terms("net-14")
    before = (PaymentTerms.objects.count(), PaymentTerms.objects.get(pk=net_14).version)
    with pytest.raises(Refusal) as refused:
        add(world, **values)
    assert (refused.value.field, refused.value.code) == (field, code)
    with pytest.raises(Refusal):
        commands.change_terms(actor=world.ann, terms_id=net_14, values={"days": "0", **values}, version=None)
    assert (PaymentTerms.objects.count(), PaymentTerms.objects.get(pk=net_14).version) == before


@pytest.mark.parametrize(
    "change",
    [
        "months = 1",
        "from_end_of_month = true, then_end_of_month = true",
        "day_of_month = 32, days = 0",
        "day_of_month = 15",
        "instalments = '[{\"rest\": true}]'",
        "discount_percent = 2",
        "discount_percent = 100, discount_days = 3",
        "days = 366",
        "months = 25, from_end_of_month = true",
    ],
)
def test_the_database_refuses_them_too(world: World, change: str) -> None:
    """Past the commands as well."""
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE accounts_paymentterms SET {change} WHERE key = 'net-14'")


# Screens -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_the_form_takes_instalments_and_the_list_says_them(world: World, staff: Staff) -> None:
    """Rows as the grid posts them; a refused form keeps them; the list and the page say the terms in words."""
    browser: Browser = staff.browser("admin")
    typed = {
        "name": "A third first", "key": "third", "is_active": "yes", "days": "", "from_end_of_month": "no",
        "then_end_of_month": "no", "day_of_month": "", "months": "", "instalments-shown": "1",
        "instalments-0-percent": "30", "instalments-0-amount": "", "instalments-0-rest": "no",
        "instalments-0-days": "", "instalments-1-percent": "60", "instalments-1-amount": "",
        "instalments-1-rest": "no", "instalments-1-days": "30", "discount_percent": "2", "discount_days": "10",
    }  # fmt: skip
    answer = browser.post("/settings/terms/new/", typed)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "The instalments make 90 %, not 100." in page
    assert 'name="instalments-1-percent"' in page
    answer = browser.post("/settings/terms/new/", {**typed, "instalments-1-percent": "", "instalments-1-rest": "yes"})
    assert answer.status_code in (200, 204, 302)
    terms = PaymentTerms.objects.get(key="third")
    words = "30 % on the day of issue, the rest 30 days after the issue; 2 % less within 10 days"
    assert terms_in_words(terms.rule) == words
    assert words in browser.get("/settings/terms/").content.decode()
    page = browser.get(f"/settings/terms/{terms.pk}/").content.decode()
    assert f"Due {words}" in page
    assert 'name="instalments-1-days"' in page


def test_usual_terms_say_what_they_said(world: World) -> None:
    """Days and the end of the month, as before."""
    said = {row["key"]: row.summary for row in queries.list_terms(world.ann)}
    assert said == {
        "immediately": "on the day of issue",
        "net-7": "7 days after the issue",
        "net-14": "14 days after the issue",
        "net-30": "30 days after the issue",
        "net-60": "60 days after the issue",
        "end-of-month": "at the end of the month",
        "end-of-month-30": "30 days after the end of the month",
    }
