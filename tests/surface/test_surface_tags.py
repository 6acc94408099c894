"""The tags of every page."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation
from lucide import IconDoesNotExist
from surface_gallery.records import Hidden

from counterfoil.core.money import Money
from counterfoil.surface.states import register_state

LOCK = "hidden from your role"


def drawn(source: str, **context: Any) -> str:
    with translation.override("en-GB"):
        return Template(source).render(Context(context))


def test_money_has_tabular_digits_a_muted_currency_and_a_true_minus() -> None:
    """An amount is written with its currency small behind it."""
    assert drawn("{% money it %}", it=Money(Decimal("-1234.5"), "EUR")) == (
        '<span class="money negative">−1,234.50<span class="currency">EUR</span></span>'
    )


def test_nothing_owed_can_be_a_dash() -> None:
    """Zero is written out unless the column asks for a dash."""
    zero = Money.zero("EUR")
    assert "0.00" in drawn("{% money it %}", it=zero)
    assert drawn('{% money it zero="dash" %}', it=zero) == '<span class="no-value">–</span>'


@pytest.mark.parametrize(
    "tag",
    ["money it", "shown it", "day it", "instant it", "number it", "state it", "sums it", "percent it", "days it it"],
)
def test_what_the_role_may_not_see_is_a_lock_in_every_tag(tag: str) -> None:
    """A hidden value is shown as a lock with words, never as dots or nothing."""
    written = drawn(f"{{% {tag} %}}", it=Hidden())
    assert LOCK in written
    assert "•" not in written


@pytest.mark.parametrize(
    "tag", ["money it", "shown it", "day it", "instant it", "number it", "state it", "percent it", "days it it"]
)
def test_no_value_is_a_dash_in_every_tag(tag: str) -> None:
    """No value is a dash."""
    assert "–" in drawn(f"{{% {tag} %}}", it=None)


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        (date(2026, 6, 1), "1 May 2026 – 31 May 2026"),
        (date(2026, 5, 2), "1 May 2026"),
        (date(2026, 5, 1), "1 May 2026"),
    ],
)
def test_a_period_names_its_last_day(end: date, shown: str) -> None:
    """What ends before 1 June is shown up to 31 May; one day, or nothing, by its first."""
    written = drawn("{% days start end %}", start=date(2026, 5, 1), end=end)
    assert re.sub("<[^>]*>", "", written) == shown


def test_dates_carry_their_full_form() -> None:
    """A short date names its weekday on hover."""
    assert drawn("{% day it %}", it=date(2026, 5, 3)) == (
        '<time datetime="2026-05-03" title="Sunday, 3 May 2026">3 May 2026</time>'
    )
    assert "14:05" in drawn("{% instant it %}", it=datetime(2026, 5, 3, 14, 5, tzinfo=UTC))


def test_a_state_has_hue_shape_and_word() -> None:
    """A state is told by more than its colour."""
    paid = drawn('{% state "paid" %}')
    assert 'class="state green"' in paid
    assert "<path" in paid
    assert ">Paid</span>" in paid
    assert "struck" in drawn('{% state "void" %}')
    assert ">Two late</span>" in drawn('{% state "overdue" label="Two late" %}')


def test_an_unknown_state_is_shown_by_its_name_and_a_room_can_describe_one() -> None:
    """A state that nobody described is plain; a described one has its look."""
    assert ">On hold</span>" in drawn('{% state "on_hold" %}')
    with pytest.raises(ValueError, match="no shape"):
        register_state("odd", "Odd", "triangle", "green")


def test_markup_in_values_is_text() -> None:
    """What people type never becomes markup."""
    evil = '"><script>alert(1)</script>'
    for tag in ("shown it", "state it", "source it", "initials it", "perforation it", "fact it it", "empty_state it"):
        assert "<script>" not in drawn(f"{{% {tag} %}}", it=evil), tag


def test_icons_are_silent_unless_they_have_a_label() -> None:
    """An icon beside words is hidden from screen readers; one that stands alone has a name."""
    assert 'aria-hidden="true"' in drawn('{% icon "search" %}')
    assert 'role="img" aria-label="Search"' in drawn('{% icon "search" 20 label="Search" %}')
    with pytest.raises(IconDoesNotExist):
        drawn('{% icon "no-such-icon" %}')


def test_query_string_keeps_the_other_parameters() -> None:
    """A link changes one parameter of the address and keeps the rest."""
    request = RequestFactory().get("/", {"q": "a&b", "page": "3"})
    assert drawn('{% query_string sort="-due_on" page=None %}', request=request) == "?q=a%26b&amp;sort=-due_on"


def test_a_fact_can_be_edited_only_when_it_is_seen() -> None:
    """A hidden value offers no editor."""
    assert "data-edit" in drawn('{% fact "Terms" "30 days" edit="/e" %}')
    assert "data-edit" not in drawn('{% fact "Terms" it edit="/e" %}', it=Hidden())
