"""The printed invoice: a PDF/A-3b for the customer and pictures of its pages for the screen.

Typst lays out what ``typst/invoice.typ`` says. The values reach it as JSON, never as markup, so a name is printed as it
is whatever signs it holds. It releases the interpreter's lock while it works; a compiler serves one thread.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, time
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import typst

from counterfoil.documents.einvoice import FILE_NAME, einvoice_gaps, einvoice_xml
from counterfoil.documents.factur_x import mark_as_factur_x
from counterfoil.documents.printed import PrintedInvoice
from counterfoil.documents.sheet import document_date, sheet

__all__ = ["PrintedInvoice", "render_invoice", "render_preview"]

logger = logging.getLogger(__name__)

TEMPLATE = Path(__file__).parent / "typst" / "invoice.typ"
PREVIEW_PPI = 110
_FONT_FOLDERS = (
    ("fontpkg_inter", "files"),
    ("fontpkg_noto_sans", "files"),
    ("fontpkg_noto_sans_arabic", "files"),
    ("fontpkg_noto_sans_thai", "files"),
    ("noto_cjk_sans_otc", ""),
)
_of_thread = threading.local()


def render_invoice(printed: PrintedInvoice) -> bytes:
    """The PDF of an issued document: PDF/A-3b, tagged, with the e-invoice inside where the values suffice for one.

    The same values give the same bytes. A sign that no font has forbids PDF/A; then the PDF is a plain one and an error
    is logged, because a customer's invoice must not hang on an emoji.
    """
    inputs = {"sheet": json.dumps(sheet(printed), ensure_ascii=False)}
    gaps = einvoice_gaps(printed)
    if gaps:
        logger.info("no e-invoice inside %s: %s", printed.number or "a draft", " ".join(gaps))
    else:
        inputs |= {"xml": einvoice_xml(printed).decode(), "xml_name": FILE_NAME}
    try:
        content = _compile(inputs, printed, "a-3b")
    except typst.TypstError as error:
        logger.error("%s is a plain PDF and no PDF/A: %s", printed.number or "A draft", error.message)
        return _compile(inputs, printed, "1.7")
    return content if gaps else mark_as_factur_x(content)


def render_preview(printed: PrintedInvoice, form: Literal["png", "svg"] = "png") -> list[bytes]:
    """A picture of each page, laid out exactly as the PDF will be."""
    inputs = {"sheet": json.dumps(sheet(printed), ensure_ascii=False)}
    pages = _compiler().compile(input=TEMPLATE, format=form, ppi=PREVIEW_PPI, sys_inputs=inputs)
    return [pages] if isinstance(pages, bytes) else list(pages or [])


def _compile(inputs: Mapping[str, str], printed: PrintedInvoice, standard: Literal["a-3b", "1.7"]) -> bytes:
    moment = datetime.combine(document_date(printed), time(), UTC)
    content = _compiler().compile(
        input=TEMPLATE, format="pdf", pdf_standards=standard, timestamp=moment, sys_inputs=dict(inputs)
    )
    if not isinstance(content, bytes):
        raise TypeError("typst gave no PDF")
    return content


def _compiler() -> typst.Compiler:
    compiler: typst.Compiler | None = getattr(_of_thread, "compiler", None)
    if compiler is None:
        compiler = _of_thread.compiler = typst.Compiler(
            root=TEMPLATE.parent, font_paths=_fonts(), ignore_system_fonts=True
        )
    return compiler


@cache
def _fonts() -> typst.Fonts:
    """The fonts of the product, the same on every machine. Typst's own are the last resort for rare signs."""
    folders = [str(files(package).joinpath(folder)) for package, folder in _FONT_FOLDERS]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=folders)
