"""Exports: what the screen shows, and never a formula."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict
from python_calamine import CalamineWorkbook
from surface_gallery import records
from surface_gallery.records import Hidden, Row

from counterfoil.core.money import Money
from counterfoil.surface.export import csv_cell, csv_lines, csv_response, write_xlsx, xlsx_response
from counterfoil.surface.lists import Listing

COLUMNS = ["title", "status", "owner", "due_on", "sent_at", "total", "country", "discount"]


def columns() -> Any:
    return Listing(records.KEY, QueryDict(), columns=COLUMNS).columns


def rows() -> list[Row]:
    common = {"status": "sent", "owner_title": "Anna", "owner": 1, "country": "DE", "discount": Hidden()}
    return [
        Row(title="=HYPERLINK(\"http://x\")", total=Money(Decimal("-1234.50"), "EUR"), due_on=date(2026, 4, 1),
            sent_at=datetime(2026, 4, 1, 9, 30, tzinfo=UTC), **common),
        Row(title="@Home", total=Money(Decimal(1200), "JPY"), due_on=None, sent_at=None, **common),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+49 30 123", "'+49 30 123"), ("-2+3", "'-2+3"), ("@cmd", "'@cmd"),
        ("\tx", "'\tx"), ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"), ("-12.50", "-12.50"), ("+5", "+5"),
        (Decimal("-12.50"), "-12.50"), (Decimal("1E+3"), "1000"), (-3, "-3"),
        ("plain", "plain"), (None, ""), (True, "yes"), (date(2026, 4, 1), "2026-04-01"), ("a\x00b", "ab"),
        ("--", "'--"),
    ],
)  # fmt: skip
def test_text_that_a_spreadsheet_would_calculate_is_kept_as_text(value: Any, cell: str) -> None:
    """A cell that starts like a formula gets an apostrophe; a negative number stays a number."""
    assert csv_cell(value) == cell


def test_csv_holds_what_the_list_shows(slips: str) -> None:
    """Labels as headings, an amount and its currency apart, choices by label, hidden values empty."""
    text = "".join(csv_lines(columns(), rows()))
    assert text.startswith("\ufeffTitle,Status,")
    lines = list(csv.reader(io.StringIO(text[1:])))
    assert lines == [
        ["Title", "Status", "Owner", "Due", "Sent at", "Total", "Total currency", "Country", "Discount"],
        [
            '\'=HYPERLINK("http://x")',
            "Sent",
            "Anna",
            "2026-04-01",
            "2026-04-01 09:30+00:00",
            "-1234.50",
            "EUR",
            "Germany",
            "",
        ],
        ["'@Home", "Sent", "Anna", "", "", "1200", "JPY", "Germany", ""],
    ]


def test_xlsx_holds_numbers_and_dates_and_no_formula(slips: str) -> None:
    """Amounts are numbers, dates are dates, and text that starts with = is a string cell."""
    file = io.BytesIO()
    write_xlsx(file, columns(), rows())
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
    file.seek(0)
    found = CalamineWorkbook.from_filelike(file).get_sheet_by_index(0).to_python()
    assert found[0][:3] == ["Title", "Status", "Owner"]
    assert found[1] == [
        '=HYPERLINK("http://x")',
        "Sent",
        "Anna",
        date(2026, 4, 1),
        datetime(2026, 4, 1, 9, 30),
        -1234.5,
        "EUR",
        "Germany",
        "",
    ]
    assert found[2][5:7] == [1200.0, "JPY"]


def test_files_have_plain_names(slips: str) -> None:
    """A name that could break a header is made plain."""
    answer = csv_response(columns(), [], 'a"b\r\nÄ')
    assert answer["Content-Disposition"] == 'attachment; filename="a-b-.csv"'
    assert xlsx_response(columns(), rows(), "slips")["Content-Disposition"] == 'attachment; filename="slips.xlsx"'


def test_a_csv_is_streamed(slips: str) -> None:
    """Rows are written as they come: nothing is asked of the rows behind the one that is read."""

    def endless() -> Any:
        yield rows()[0]
        raise AssertionError("read ahead")

    lines = csv_lines(columns(), endless())
    assert next(lines).startswith("\ufeff")
    assert "Anna" in next(lines)
