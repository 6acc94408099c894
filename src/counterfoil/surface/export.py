"""What a list shows, as a CSV or XLSX file.

A cell never becomes a formula: text that a spreadsheet would calculate is kept as text. Numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, TypeVar

from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from counterfoil.core.money import Money, currency_decimals
from counterfoil.plumbing.record_types import Kind
from counterfoil.surface.lists import Column, Listing, value_in_words

ROWS_MAX = 200_000
Answer = TypeVar("Answer", bound=HttpResponseBase)
CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CALCULATED = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")


def response(listing: Listing, rows: Iterable[Any], name: str) -> StreamingHttpResponse | FileResponse:
    """The list's shown columns over these rows, as the file that the address asks for."""
    if listing.export == "xlsx":
        return xlsx_response(listing.columns, rows, name)
    return csv_response(listing.columns, rows, name)


def csv_response(columns: Sequence[Column], rows: Iterable[Any], name: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(csv_lines(columns, rows), content_type=CSV_TYPE)
    return _as_file(answer, f"{name}.csv")


def xlsx_response(columns: Sequence[Column], rows: Iterable[Any], name: str) -> FileResponse:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    write_xlsx(file, columns, rows)
    file.seek(0)
    answer = FileResponse(file, content_type=XLSX_TYPE)
    return _as_file(answer, f"{name}.xlsx")


def _as_file(answer: Answer, name: str) -> Answer:
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII)
    answer["Content-Disposition"] = f'attachment; filename="{plain}"'
    return answer


def with_currencies(columns: Sequence[Column]) -> list[tuple[str, Column, bool]]:
    """Each column with its heading; an amount is followed by the column of its currency."""
    wide: list[tuple[str, Column, bool]] = []
    for column in columns:
        wide.append((column.label, column, False))
        if column.kind is Kind.AMOUNT:
            wide.append((f"{column.label} currency", column, True))
    return wide


def _value(column: Column, row: Any, is_currency: bool) -> Any:
    value = value_in_words(column, row)
    if isinstance(value, Money):
        return value.currency if is_currency else value.amount
    return None if is_currency else value


# CSV ----------------------------------------------------------------------------------------------------------------


def csv_lines(columns: Sequence[Column], rows: Iterable[Any]) -> Iterator[str]:
    """The file line by line, with a byte order mark, so that spreadsheets read it as UTF-8."""
    wide = with_currencies(columns)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([csv_cell(label) for label, _, _ in wide])
    yield "\ufeff" + _taken(buffer)
    for row in rows:
        writer.writerow([csv_cell(_value(column, row, is_currency)) for _, column, is_currency in wide])
        yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def csv_cell(value: Any) -> str:
    """One cell's text. Text that starts like a formula gets an apostrophe in front; a negative number does not."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(" ", "minutes") if value.tzinfo else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    text = str(value).replace("\x00", "")
    if text.startswith(_CALCULATED) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


# XLSX ---------------------------------------------------------------------------------------------------------------


def write_xlsx(file: IO[bytes], columns: Sequence[Column], rows: Iterable[Any]) -> None:
    """One sheet with a heading that stays in sight. Rows are written as they come, never held together in memory."""
    import xlsxwriter  # loaded when a workbook is written: it delays every start

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_date_format": "yyyy-mm-dd",
        "remove_timezone": True,
    }
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet()
        heading = book.add_format({"bold": True, "bottom": 1})
        formats = _Formats(book)
        wide = with_currencies(columns)
        for place, (label, column, is_currency) in enumerate(wide):
            sheet.set_column(place, place, 10 if is_currency else 16 if column.is_figure else 24)
            sheet.write_string(0, place, label, heading)
        sheet.freeze_panes(1, 0)
        for line, row in enumerate(rows, start=1):
            for place, (_, column, is_currency) in enumerate(wide):
                _write_cell(sheet, line, place, value_in_words(column, row), is_currency, formats)


class _Formats:
    """Number formats, one for each count of decimals."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._amounts: dict[int, Any] = {}
        self.day = book.add_format({"num_format": "yyyy-mm-dd"})
        self.moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})

    def amount(self, decimals: int) -> Any:
        if decimals not in self._amounts:
            pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
            self._amounts[decimals] = self._book.add_format({"num_format": pattern})
        return self._amounts[decimals]


def _write_cell(sheet: Any, line: int, place: int, value: Any, is_currency: bool, formats: _Formats) -> None:
    if isinstance(value, Money):
        if is_currency:
            sheet.write_string(line, place, value.currency)
        else:
            sheet.write_number(line, place, value.amount, formats.amount(currency_decimals(value.currency)))
    elif is_currency or value is None:
        return
    elif isinstance(value, bool):
        sheet.write_string(line, place, "yes" if value else "no")
    elif isinstance(value, Decimal | int):
        sheet.write_number(line, place, value)
    elif isinstance(value, datetime):
        sheet.write_datetime(line, place, timezone.localtime(value) if value.tzinfo else value, formats.moment)
    elif isinstance(value, date):
        sheet.write_datetime(line, place, value, formats.day)
    else:
        sheet.write_string(line, place, str(value).replace("\x00", "")[:32_767])
