"""Files as tables, and what their cells mean."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from decimal import Decimal

import pytest
import xlsxwriter

from counterfoil.core.errors import Refusal
from counterfoil.importing.rules.dates import date_reading, read_day
from counterfoil.importing.rules.mapping import guessed_mapping, plain
from counterfoil.importing.rules.numbers import read_number
from counterfoil.importing.rules.reading import read_table
from counterfoil.importing.rules.values import exact_choice, probable


@pytest.mark.parametrize(
    ("content", "heading", "rows"),
    [
        (b"a,b\n1,2\n", ("a", "b"), [("1", "2")]),
        (b"\xef\xbb\xbfa;b\r\n1;2,5\r\n", ("a", "b"), [("1", "2,5")]),
        ("a\tb\nÄ\tö\n".encode("utf-16"), ("a", "b"), [("Ä", "ö")]),
        (
            "name,city\nMüller,Köln\nSchröder,Düsseldorf\n".encode("cp1252"),
            ("name", "city"),
            [("Müller", "Köln"), ("Schröder", "Düsseldorf")],
        ),
        (b"a,a,\n1,2\n\n3\n", ("a", "a (2)"), [("1", "2"), ("3", "")]),
        (b'a,b\n"x, y","=1+1"\n', ("a", "b"), [("x, y", "=1+1")]),
    ],
)
def test_text_files_of_usual_forms_are_read(content, heading, rows):
    """Encoding, delimiter, quotes, empty lines and double headings are all understood; a formula stays a text."""
    table = read_table("file.csv", content)
    assert table.heading == heading
    assert table.rows == rows


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"a,b\n", "no_rows"),
        (b"a,b\n1,2\x00\n", "nul"),
        (b"a,b\n1," + b"x" * 20_000 + b"\n", "cell_too_long"),
        (b"a,b\n1,2,3\n", "too_many_cells"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"0" * 100, "old_workbook"),
        (b"PK\x03\x04broken", "bad_workbook"),
        (b"x" * 25_000_001, "file_too_large"),
    ],
)
def test_bad_files_are_refused_with_a_reason(content, code):
    """Each bad file has its own code, and none is read in part."""
    with pytest.raises(Refusal) as refused:
        read_table("file", content)
    assert refused.value.code == code


def test_a_workbook_is_read_as_a_person_sees_it():
    """Whole numbers have no decimals, dates are dates, formulas give their stored value."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet()
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.write_row(0, 0, ["name", "count", "price", "day"])
    sheet.write_string(1, 0, "=HYPERLINK()")
    sheet.write_number(1, 1, 12)
    sheet.write_number(1, 2, 19.99)
    sheet.write_datetime(1, 3, date(2026, 3, 31), day)
    book.close()
    table = read_table("book.xlsx", buffer.getvalue())
    assert table.rows == [("=HYPERLINK()", "12", "19.99", "2026-03-31")]


def test_a_zip_bomb_is_not_opened():
    """A workbook that unpacks to far more than it should is refused by its directory, before anything is unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", b"0" * 60_000_000)
    with pytest.raises(Refusal) as refused:
        read_table("bomb.xlsx", buffer.getvalue())
    assert refused.value.code == "unpacks_too_large"


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["2026-03-01", "2026-12-31"], "year-month-day"),
        (["20-10-16", "31-12-16", "01-03-17"], "day-month-year"),
        (["1/26/2013", "2/10/2013"], "month-day-year"),
        (["26.01.2013", "10.02.2013"], "day-month-year"),
    ],
)
def test_the_order_of_dates_is_found_from_the_whole_column(values, order):
    """One value may be ambiguous; a column of business dates is not."""
    assert date_reading(values).orders[0] == order


def test_unreadable_dates_are_named():
    """A day that does not exist fits no order and does not spoil the others."""
    reading = date_reading(["2026-02-30", "2026-02-28", ""])
    assert reading.orders == ("year-month-day",)
    assert reading.unreadable == ("2026-02-30",)
    with pytest.raises(ValueError, match="\u0662"):
        read_day("\u0662\u0660\u0662\u0666-02-28", "year-month-day")
    assert read_day("28-02-69", "day-month-year") == date(2069, 2, 28)
    assert read_day("28-02-70", "day-month-year") == date(1970, 2, 28)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234.50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("1 234,5", "1234.5"),
        ("(12.00)", "-12.00"),
        ("EUR 7", "7"),
        ("1,234", "1234"),
        ("12,5", "12.5"),
        ("\u22123", "-3"),
        ("55.94", "55.94"),
    ],
)
def test_numbers_are_read_in_any_usual_notation(text, number):
    """Thousands separators, decimal commas, brackets for negatives and currency signs."""
    assert read_number(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "abc", "1.2.3", "NaN", "Infinity", "1e5", "--1", "=1+1", "\u0661\u0662", "\uff11,\uff15"]
)
def test_what_is_no_number_is_refused(text):
    """Nothing is guessed into a number."""
    with pytest.raises(ValueError, match=r".*"):
        read_number(text)


def test_columns_are_matched_by_their_names():
    """Camel case, underscores and small misspellings do not matter; a field is given once."""
    names = {
        "number": ("number", "Invoice number", "invoiceNumber"),
        "issued_on": ("issued_on", "InvoiceDate"),
        "due_on": ("due_on", "DueDate"),
    }
    assert guessed_mapping(["invoiceNumber", "Invoice_Date", "DueDte", "other"], names) == {
        "invoiceNumber": "number",
        "Invoice_Date": "issued_on",
        "DueDte": "due_on",
    }
    assert plain("InvoiceDate") == plain("invoice date") == "invoice date"


def test_a_misspelt_value_is_recognised_but_not_decided():
    """GTXPro is probably GTX Pro, which a person confirms once; nothing like it is not guessed."""
    options = [("1", "GTX Basic"), ("2", "GTX Pro"), ("3", "MG Special")]
    assert exact_choice("gtx pro", options) == "2"
    assert exact_choice("GTXPro", options) is None
    assert probable("GTXPro", options) == "2"
    assert probable("Lasagne", options) is None
