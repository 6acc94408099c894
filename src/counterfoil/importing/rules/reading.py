"""A file's bytes as a table of text: CSV in any usual encoding and delimiter, and XLSX.

Cells stay text: a formula in a CSV file is a text that starts with ``=``, and of a workbook only stored values are
read.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import python_calamine

from counterfoil.core.errors import Refusal

FILE_BYTES_MAX = 25_000_000
UNPACKED_BYTES_MAX = 400_000_000
UNPACKED_RATIO_MAX = 200
ROWS_MAX = 1_000_000
COLUMNS_MAX = 200
CELL_LENGTH_MAX = 10_000
_SAMPLE_BYTES = 200_000
_OLD_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "shift_jis", "euc_kr", "gb18030", "big5"]
"""What programs that do not write UTF-8 write in; of equally good ones, the first is taken."""


@dataclass(frozen=True)
class Table:
    """The heading and the rows of a file. Every row has as many cells as the heading."""

    heading: tuple[str, ...]
    rows: list[tuple[str, ...]]


def read_table(name: str, content: bytes) -> Table:
    """The file's first table; raises ``Refusal`` with what is wrong and where."""
    if not content:
        raise Refusal("empty_file", "This file is empty. Choose another one.", "file")
    if len(content) > FILE_BYTES_MAX:
        raise Refusal(
            "file_too_large",
            f"This file has {len(content) // 1_000_000} MB; at most {FILE_BYTES_MAX // 1_000_000} "
            "are possible. Split it.",
            "file",
        )
    if content[:4] == b"PK\x03\x04":
        cells = _workbook_cells(content)
    elif content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise Refusal("old_workbook", "This is an old Excel file (.xls). Save it as .xlsx or .csv.", "file")
    else:
        cells = _text_cells(content)
    return _as_table(cells)


def _as_table(cells: Iterator[list[str]]) -> Table:
    heading: tuple[str, ...] | None = None
    rows: list[tuple[str, ...]] = []
    for number, row in enumerate(cells, 1):
        if not any(cell.strip() for cell in row):
            continue
        for cell in row:
            if "\x00" in cell:
                raise Refusal("nul", f"Line {number} holds a NUL character; this is not a text file.", "file")
            if len(cell) > CELL_LENGTH_MAX:
                raise Refusal(
                    "cell_too_long",
                    f"A cell of line {number} has {len(cell):,} characters; at most {CELL_LENGTH_MAX:,} are possible.",
                    "file",
                )
        if heading is None:
            heading = _clean_heading(row)
            continue
        if len(row) > len(heading) and any(cell.strip() for cell in row[len(heading) :]):
            raise Refusal(
                "too_many_cells",
                f"Line {number} has {len(row)} cells, the heading only {len(heading)}. "
                "Is the delimiter part of a value?",
                "file",
            )
        padded = [*row, *[""] * (len(heading) - len(row))][: len(heading)]
        rows.append(tuple(cell.strip() for cell in padded))
        if len(rows) > ROWS_MAX:
            raise Refusal("too_many_rows", f"At most {ROWS_MAX:,} rows are possible. Split the file.", "file")
    if heading is None or not rows:
        raise Refusal("no_rows", "This file has a heading but no rows, or is empty.", "file")
    return Table(heading, rows)


def _clean_heading(row: list[str]) -> tuple[str, ...]:
    names = [cell.strip().lstrip("\ufeff") for cell in row]
    while names and not names[-1]:
        names.pop()
    if len(names) > COLUMNS_MAX:
        raise Refusal("too_many_columns", f"At most {COLUMNS_MAX} columns are possible.", "file")
    seen: dict[str, int] = {}
    unique: list[str] = []
    for place, name in enumerate(names, 1):
        name = name[:200] or f"Column {place}"
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(unique)


def _text_cells(content: bytes) -> Iterator[list[str]]:
    text = _decoded(content)
    sample = text[:_SAMPLE_BYTES]
    csv.field_size_limit(CELL_LENGTH_MAX * 10)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(sample))
    try:
        yield from reader
    except csv.Error as error:
        raise Refusal("bad_csv", f"Line {reader.line_num} cannot be read as CSV: {error}.", "file") from None


def _decoded(content: bytes) -> str:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                raise Refusal("bad_encoding", f"This file says it is {encoding} but is not.", "file") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes  # loaded when a file is no UTF-8: it delays every start

        best = from_bytes(content[:_SAMPLE_BYTES], cp_isolation=_OLD_ENCODINGS).best()
        if best is None:
            raise Refusal("bad_encoding", "This is not a text file. Save it as CSV in UTF-8.", "file") from None
        return content.decode(best.encoding, errors="replace")


def _delimiter(sample: str) -> str:
    """The delimiter that gives the heading and most lines the same number of cells, more than one."""
    best, best_score = ",", (0, 0)
    for candidate in ",;\t|":
        try:
            lines = [row for row in csv.reader(io.StringIO(sample, newline=""), delimiter=candidate) if row][:50]
        except csv.Error:
            continue
        if not lines:
            continue
        width = len(lines[0])
        score = (sum(len(row) == width for row in lines) if width > 1 else 0, width)
        if score > best_score:
            best, best_score = candidate, score
    return best


def _workbook_cells(content: bytes) -> Iterator[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            unpacked = sum(item.file_size for item in packed.infolist())
    except zipfile.BadZipFile:
        raise Refusal("bad_workbook", "This workbook is damaged. Save it again.", "file") from None
    if unpacked > UNPACKED_BYTES_MAX or unpacked > len(content) * UNPACKED_RATIO_MAX:
        raise Refusal(
            "unpacks_too_large", "This workbook unpacks to far more than it should. It was not opened.", "file"
        )
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheet = book.get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except (python_calamine.CalamineError, IndexError) as error:
        raise Refusal("bad_workbook", f"This workbook cannot be read: {error}.", "file") from None
    for row in rows:
        yield [_cell_text(cell) for cell in row]


def _cell_text(cell: object) -> str:
    """A workbook's value as text. Excel knows only binary numbers; their shortest text is what a person typed."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    text = str(cell)
    return text[:-2] if text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text
