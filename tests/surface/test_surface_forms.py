"""Forms made from the descriptions of records."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.http import QueryDict
from django.template import Context, Template
from django.utils import timezone
from surface_gallery.records import Hidden, Row

from counterfoil.core.errors import Problem, Refusal
from counterfoil.core.money import Money
from counterfoil.surface.forms import Form, plain_number, record_form, values_from, version_from


def drawn(form: Form) -> str:
    return Template("{% form_fields form %}").render(Context({"form": form}))


def posted(**values: Any) -> QueryDict:
    query = QueryDict(mutable=True)
    for name, value in values.items():
        query.setlist(name, value if isinstance(value, list) else [value])
    return query


def test_values_of_a_record_stand_in_the_boxes(slips: str) -> None:
    """Money loses its currency to the unit beside the box, a decimal its idle zeros, a link shows its title."""
    row = Row(
        total=Money(Decimal("1234.50"), "EUR"),
        currency="EUR",
        discount=Decimal("2.500000"),
        owner=UUID(int=1),
        owner_title="Anna",
        by_post=True,
    )
    form = record_form(slips, values=row)
    assert form["total"].value == "1234.50"
    assert form["total"].unit == "EUR"
    assert form["discount"].value == "2.5"
    assert (form["owner"].value, form["owner"].title) == (str(UUID(int=1)), "Anna")
    assert form["by_post"].value == "yes"
    assert form.version == 3


def test_fields_of_closed_groups_are_locked_and_not_posted(slips: str) -> None:
    """A group that the role may not write is shown with a reason and without an input."""
    form = record_form(slips, values=Row(discount=Decimal("2.5")), writable={"general"})
    assert form["discount"].locked == "Your role may not change this."
    html = drawn(form)
    assert 'name="discount"' not in html
    assert 'name="title"' in html
    assert ">2.5</output>" in html


def test_hidden_values_are_locked_and_never_printed(slips: str) -> None:
    """A value that the role may not see is not in the page."""
    form = record_form(slips, values=Row(iban=Hidden()))
    assert form["iban"].hidden
    assert "•••" not in drawn(form)
    assert 'name="iban"' not in drawn(form)


def test_a_refused_form_keeps_what_was_typed_and_focuses_the_first_problem(slips: str) -> None:
    """Each problem stands at its field, what was typed wins over the record, the rest stands above."""
    typed = values_from(posted(title="", email="nord wind"), slips, only=["title", "email"])
    refusal = Refusal.of(
        [
            Problem("email", "not_an_email", "“nord wind” is not an e-mail address."),
            Problem("count", "too_small", "Copies must be at least 0."),
            Problem("", "strange", "The whole is strange."),
        ]
    )
    form = record_form(
        slips,
        values=Row(title="Old", email="old@example.com"),
        typed=typed,
        problems=refusal,
        only=["title", "email", "count"],
    )
    assert (form["title"].value, form["email"].value) == ("", "nord wind")
    assert form["email"].problem == "“nord wind” is not an e-mail address."
    assert [one.autofocus for one in form] == [False, True, False]
    assert [one.message for one in form.problems] == ["The whole is strange."]
    html = drawn(form)
    assert 'aria-describedby="id-email-problem id-email-help"' in html
    assert 'aria-invalid="true"' in html
    assert "The whole is strange." in html


def test_problems_of_rows_stand_in_their_cells(slips: str) -> None:
    """A path such as lines.1.quantity finds its cell."""
    typed = values_from(posted(**{"lines-0-quantity": "1", "lines-2-quantity": "-3"}), slips, only=["lines"])
    problems = [Problem("lines.1.quantity", "too_small", "Quantity must be at least 0.")]
    lines = record_form(slips, typed=typed, problems=problems, only=["lines"])["lines"]
    assert [[cell.problem for cell in row if cell.problem] for row in lines.rows] == [
        [],
        ["Quantity must be at least 0."],
    ]
    assert lines.rows[1][2].id == "id-lines-1-quantity"
    assert lines.rows[1][2].value == "-3"


def test_rows_are_read_in_their_order_without_empty_and_removed_ones(slips: str) -> None:
    """Rows come by number; empty and removed ones are dropped."""
    query = posted(**{
        "lines-10-note": "third", "lines-2-note": "second", "lines-0-note": "first", "lines-1-note": "",
        "lines-1-quantity": " ",
        "lines-3-note": "gone", "lines-3-remove": "on",
    })  # fmt: skip
    assert [row["note"] for row in values_from(query, slips, only=["lines"])["lines"]] == ["first", "second", "third"]


def test_no_rows_at_all_is_an_empty_list_only_when_the_grid_was_shown(slips: str) -> None:
    """A form without the grid leaves the rows alone; a grid that was emptied says so."""
    assert "lines" not in values_from(posted(title="x"), slips)
    assert values_from(posted(**{"lines-shown": "1"}), slips)["lines"] == []


def test_boxes_that_were_not_ticked_are_no(slips: str) -> None:
    """A checkbox is posted as no or yes, and not at all when it was not shown."""
    assert values_from(posted(by_post=["no", "yes"]), slips)["by_post"] == "yes"
    assert values_from(posted(by_post=["no"]), slips)["by_post"] == "no"
    assert "by_post" not in values_from(posted(title="x"), slips)


def test_text_that_was_not_picked_from_the_list_is_refused_and_kept(slips: str) -> None:
    """A name typed into a link's box goes to the command, which refuses it; the box shows it again."""
    typed = values_from(posted(owner="", **{"owner-title": "Ana"}), slips, only=["owner"])
    assert typed == {"owner": "Ana"}
    form = record_form(
        slips,
        typed=typed,
        problems=[Problem("owner", "not_an_id", "Owner must be the id of a record.")],
        only=["owner"],
    )
    assert form["owner"].problem == "“Ana” was not found. Pick one from the list."
    assert form["owner"].title == "Ana"
    assert form["owner"].value == ""


def test_moments_get_the_zone_of_the_reader(slips: str) -> None:
    """A moment is typed in local time and posted with its offset."""
    with timezone.override("Europe/Berlin"):
        assert values_from(posted(sent_at="2026-07-01T09:30"), slips)["sent_at"] == "2026-07-01T09:30:00+02:00"


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("1234.50", "1234.50"), ("1234,50", "1234.50"), ("1.234,50", "1234.50"), ("1,234.50", "1234.50"),
        ("1 234,5", "1234.5"),
        ("1’234.50", "1234.50"), ("1.234.567", "1234567"), ("1,234,567", "1234567"), ("−5,5", "-5.5"),
        ("0,125", "0.125"),
        ("1,234", "1,234"), ("1.23.4", "1.23.4"), ("12,34,5", "12,34,5"),
        ("abc", "abc"), ("", ""), ("1e5", "1e5"), ("NaN", "NaN"),
        ("1,2345", "1.2345"), (",5", ".5"),
    ],
)  # fmt: skip
def test_numbers_as_people_type_them(typed: str, plain: str) -> None:
    """Comma decimals become points; what could mean two numbers is left as it is, for the command to refuse."""
    assert plain_number(typed) == plain


@pytest.mark.parametrize(
    ("text", "version"), [("3", 3), ("", None), ("x", None), ("٣", None), ("9" * 20, None), ("-1", None)]
)
def test_the_version_that_was_seen(text: str, version: int | None) -> None:
    """A version that is no number is none."""
    assert version_from(posted(version=text)) == version


def test_a_choice_that_is_gone_stays_selected(slips: str) -> None:
    """A value outside the choices is shown, not silently replaced by the first one."""
    html = str(record_form(slips, values=Row(stage="bronze"), only=["stage"])["stage"].control)
    assert '<option value="bronze" selected>bronze</option>' in html


def test_markup_in_values_is_text(slips: str) -> None:
    """What people typed never becomes markup in a form."""
    evil = '"></textarea><script>alert(1)</script>'
    row = Row(title=evil, notes=evil, owner=UUID(int=1), owner_title=evil, stage=evil, lines=[{"note": evil}])
    assert "<script>" not in drawn(record_form(slips, values=row, problems=[Problem("title", "x", evil)]))


def test_a_text_that_begins_with_a_line_break_keeps_it(slips: str) -> None:
    """HTML drops one line break after a textarea's tag; the form gives it one to drop."""
    assert ">\n\nsecond line</textarea>" in str(
        record_form(slips, values=Row(notes="\nsecond line"), only=["notes"])["notes"].control
    )
