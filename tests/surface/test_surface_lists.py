"""Lists: the address in, plain values for a query out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.http import QueryDict
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation
from surface_gallery import records

from counterfoil.core.money import Money
from counterfoil.surface.lists import Listing, amount

COLUMNS = ["title", "status", "owner", "due_on", "total"]


def listing(query: str = "", **more: Any) -> Listing:
    return Listing(
        records.KEY,
        QueryDict(query),
        columns=COLUMNS,
        filters=["status", "due_on", "total", "country", "by_post"],
        sorts=["title", "due_on"],
        **more,
    )


def test_the_address_becomes_plain_values(slips: str) -> None:
    """Filters are cleaned by their field: choices as a list, ranges as a pair."""
    found = listing("q=+nord+&status=sent&status=paid&due_on_from=2026-04-01&total_to=1.000,50&sort=-due_on&page=3")
    assert found.text == "nord"
    assert found.filters == {
        "status": ["sent", "paid"], "due_on": (date(2026, 4, 1), None), "total": (None, Decimal("1000.50")),
    }  # fmt: skip
    assert (found.sort, found.offset, found.limit) == ("-due_on", 100, 50)
    assert found.problems == []


def test_what_cannot_be_read_is_left_out_and_said(slips: str) -> None:
    """A filter that makes no sense is named above the table and filters nothing; a strange page is the first one."""
    found = listing(
        "status=unheard&due_on_from=2026-02-30&total_from=1e999&page=-4&sort=iban&country=ZZ&export=exe&by_post=maybe"
    )
    assert found.filters == {}
    assert found.problems == [
        "The filter was left out. Status cannot be “unheard”. It is one of: draft, sent, paid.",
        "The filter was left out. There is no such day as 2026-02-30.",
        "The filter was left out. Total is out of range.",
        "The filter was left out. “ZZ” is not a country code such as DE or US.",
        "The filter was left out. Send by post as well is either yes or no.",
    ]
    assert (found.page, found.sort, found.export) == (1, "title", "")


def test_deep_pages_and_long_texts_are_cut(slips: str) -> None:
    """No address makes a query without bounds."""
    found = listing(f"page=999999&q={'x' * 5000}&status={'sent&status=' * 500}paid")
    assert found.page == 2000
    assert len(found.text) == 200
    assert len(found.filters["status"]) == 50


def test_counts_and_ranges_in_words(slips: str) -> None:
    """A list says how many rows match and which of them are shown."""
    found = listing("page=2").filled(records.rows(), count=1243)
    with translation.override("en"):
        assert found.counted == "1,243 slips"
        assert found.range_text == "51–62 of 1,243"
        assert listing().filled([], count=1).counted == "1 slip"
    assert (found.previous_page, found.next_page) == (1, 3)


def test_links_of_a_list_keep_its_state_and_start_over(slips: str) -> None:
    """Sorting and taking a filter away keep the other parameters and go back to the first page."""
    found = listing("status=sent&due_on_from=2026-04-01&sort=title&page=3")
    assert found.heads[0]["url"] == "?status=sent&due_on_from=2026-04-01&sort=-title"
    assert found.heads[0]["direction"] == "ascending"
    assert found.heads[1]["url"] == ""
    with translation.override("en-GB"):
        assert [(chip["words"], chip["without"]) for chip in found.filter_chips] == [
            ("Sent", "?due_on_from=2026-04-01&sort=title"), ("from 1 Apr 2026", "?status=sent&sort=title"),
        ]  # fmt: skip


def test_readers_choose_columns_but_the_first_stays(slips: str) -> None:
    """The first column names the row, so it is always there."""
    assert [column.id for column in listing("columns=due_on&columns=nonsense").columns] == ["title", "due_on"]


def test_a_drawn_list(slips: str) -> None:
    """Rows link to their pages, states have shapes, hidden values are locks, and text is never markup."""
    shown = listing(extra=[amount("total", "Total")]).filled(
        records.rows(), count=12, sums={"EUR": Money(Decimal("5"), "EUR")}
    )
    request = RequestFactory().get("/list")
    with translation.override("en-GB"):
        html = Template('{% include "surface/components/listing.html" %}').render(
            Context({"listing": shown, "request": request})
        )
    assert '<a href="/slips/00000000-0000-0000-0000-000000000001">Nordwind Logistik GmbH</a>' in html
    assert "Anna Weiß" in html
    assert 'class="state red"' in html
    assert "<strong>12 slips</strong>" in html
    assert "O’Brien &amp; Sons" in html


def test_an_empty_list_tells_no_match_from_nothing_yet(slips: str) -> None:
    """Without rows the page says whether a filter hides them or there are none."""
    request = RequestFactory().get("/list")

    def drawn(query: str) -> str:
        context = Context({"listing": listing(query).filled([], count=0), "request": request})
        return Template('{% include "surface/components/listing.html" %}').render(context)

    assert "Nothing matches" in drawn("q=zzz")
    assert "No slips yet" in drawn("")
