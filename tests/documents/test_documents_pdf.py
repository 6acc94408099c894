"""The printed invoice says what it must, whatever its values hold, and is the same file every time."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pikepdf
import pytest
from printed_examples import (
    BRITISH,
    GERMAN,
    LONDON,
    SENSOR,
    STUTTGART,
    SUPPORT,
    VISIT,
    Rate,
    credit_note,
    draft,
    printed,
)
from pypdf import PdfReader

from counterfoil.core.money import Money
from counterfoil.documents.pdf import render_invoice, render_preview
from counterfoil.documents.printed import Address, Buyer, PrintedInvoice, Seller
from counterfoil.documents.sheet import sheet
from counterfoil.documents.wording import LANGUAGES

HOSTILE = '#import "x" $a$ *b* _i_ \\back "q" `raw` <lab> @ref #panic() //c /*d*/ [x] {y} ~'


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, with every kind of space as one space."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages]


def text_of(invoice: PrintedInvoice) -> str:
    return " ".join(pages_of(render_invoice(invoice)))


def is_archival(pdf: bytes) -> bool:
    with pikepdf.open(io.BytesIO(pdf)) as document, document.open_metadata() as metadata:
        return metadata.pdfa_status == "3B"


def test_an_invoice_says_what_it_must() -> None:
    """Number, parties, dates, lines, tax, total and how to pay stand in the text of the PDF."""
    text = text_of(printed())
    for words in (
        "Invoice NW-2026-00042",
        "Northwind Instruments Ltd",
        "14 Harbour Lane",
        "Hartwell & Sons plc",
        "Attn. Accounts payable",
        "3rd floor",
        "24 November 2026",
        "24 December 2026",
        "1–30 Nov 2026",
        "PO-4711",
        "K-10234",
        "Pressure sensor PX-200",
        "Stainless steel, calibrated",
        "149.90",
        "10 %",
        "1,618.92",
        "16.5",
        "Net total €5,586.42",
        "VAT 20% €1,117.28",
        "Total €6,703.70",
        "GB33 BUKB 2020 1555 5555 55",
        "Please pay by 24 December 2026 and quote NW-2026-00042.",
        "Payable within 30 days.",
        "Page 1 of 1",
    ):
        assert words in text


def test_the_slip_bears_the_same_number() -> None:
    """The number stands in the title and again on the payment slip, with what is left to pay."""
    text = text_of(printed(paid=Money(Decimal(1000), "EUR")))
    assert "Payment NW-2026-00042 Amount due €5,703.70" in text
    assert "Already paid −€1,000.00" in text


def test_nothing_to_pay() -> None:
    """A paid invoice asks for nothing and names no bank account."""
    text = text_of(printed(paid=Money(Decimal("6703.70"), "EUR")))
    assert "Nothing is left to pay. Thank you." in text
    assert "GB33" not in text


def test_a_credit_note() -> None:
    """A credit note has its own title, names the invoice that it corrects, and asks for no payment."""
    text = text_of(credit_note())
    assert "Credit note CN-2026-00007" in text
    assert "Credit for invoice NW-2026-00042" in text
    assert "Amount credited €6,703.70" in text
    assert "There is nothing to pay." in text
    assert "Please pay" not in text
    assert "GB33" not in text


def test_a_draft_is_marked() -> None:
    """A draft says so in its title and on top of the page, and has no number to quote."""
    text = text_of(draft())
    assert "Invoice Draft" in text
    assert "Draft, not yet issued" in text
    assert "The number and the payment reference are given when the invoice is issued." in text
    assert "Draft, not yet issued" not in text_of(printed())


def test_several_rates() -> None:
    """With several rates each line names its own, and each rate its base; an exemption gives its reason."""
    exempt = Rate("0", "Exempt", "E", "Exempt under Article 132 of Directive 2006/112/EC")
    text = text_of(printed(rates=(Rate("20", "VAT 20%"), exempt)))
    assert "VAT 20% on €4,018.92 €803.78" in text
    assert "Exempt on €1,567.50 €0.00" in text
    assert "Exempt under Article 132 of Directive 2006/112/EC" in text


@pytest.mark.parametrize("layout", ["classic", "compact"])
def test_many_lines(layout: str) -> None:
    """Sixty lines run over pages: each page of lines has the head and the sum so far, the last one totals and slip."""
    seller = replace(BRITISH, layout=layout)
    lines = (SENSOR, VISIT, SUPPORT) * 20
    pages = pages_of(render_invoice(printed(lines=lines, seller=seller)))
    assert len(pages) >= 3
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        has_lines = "pcs" in page
        assert has_lines or number == len(pages)
        assert ("Description Quantity Unit price" in page) == has_lines
        assert ("Carried forward" in page) == (has_lines and number > 1)
        assert ("Total €134,074.08" in page) == (number == len(pages))
        assert ("Payment NW-2026-00042" in page) == (number == len(pages))
        assert "NW-2026-00042" in page
    assert all(f" {position} " in " ".join(pages) for position in range(1, 61))


def test_carried_forward_is_the_sum_of_the_pages_before() -> None:
    """The sum carried to a page is that of all lines before its first."""
    pages = pages_of(render_invoice(printed(lines=[("Piece", "", "", "1", "10", "0")] * 60)))
    for page in pages[1:]:
        found = re.search(r"Carried forward ([\d.,]+) (\d+) Piece", page)
        assert found is not None
        assert Decimal(found.group(1).replace(",", "")) == 10 * (int(found.group(2)) - 1)


def test_totals_are_never_apart_from_the_slip() -> None:
    """However many lines there are, totals and slip share the last page."""
    for count in range(8, 26):
        pages = pages_of(render_invoice(printed(lines=[SENSOR] * count)))
        assert "Net total" in pages[-1], count
        assert "Payment NW-2026-00042" in pages[-1], count


def test_hostile_text_is_printed_as_it_is() -> None:
    """What would be markup in typst is printed sign by sign, in every field."""
    party = Buyer(HOSTILE, Address(HOSTILE, HOSTILE, "#1", "*c*", "", "DE"), "#t", "", HOSTILE, "$k$")
    invoice = printed(buyer=party, lines=[(HOSTILE, HOSTILE, "#u", "1", "10", "0")], notes=HOSTILE, number="#1 $x$")
    pdf = render_invoice(invoice)
    text = " ".join(pages_of(pdf))
    assert text.replace(" ", "").count(HOSTILE.replace(" ", "")) >= 7
    assert "#1 $x$" in text
    assert is_archival(pdf)


@pytest.mark.parametrize("sign", ["\0", "\x07", "\x1b", "\u200b", "\u202e", "\ufeff", "\ud800", "\ue000", "\U000e0001"])
def test_signs_that_are_no_text(sign: str) -> None:
    """Control signs, marks of direction and broken code points do not stop an invoice nor its PDF/A."""
    pdf = render_invoice(printed(buyer=replace(LONDON, legal_name=f"Hart{sign}well plc"), notes=f"a{sign}b\r\nc"))
    assert is_archival(pdf)


@pytest.mark.parametrize(
    "name",
    [
        "Αθηναϊκή Εταιρεία Α.Ε.",
        "شركة الاتصالات السعودية",
        "株式会社サンプル商事",
        "한국전자 주식회사",
        "上海示例有限公司",
        "บริษัท ตัวอย่าง จำกัด",
        "חברה לדוגמה בע״מ",
        "उदाहरण प्राइवेट लिमिटेड",
        "Компанія «Приклад»",
        "Łódź Ștefan Þór Đặng Nguyễn",
        "Zo\u0308e\u0301 A\u030a combining",
    ],
)
def test_names_in_every_script(name: str) -> None:
    """A name in any of these scripts is printed, stays searchable, and leaves the PDF archival."""
    pdf = render_invoice(printed(buyer=replace(LONDON, legal_name=name)))
    assert is_archival(pdf)
    if name.isprintable() and not re.search("[\u0590-\u06ff\u0900-\u0eff]", name):
        assert re.sub(r"\W", "", name)[:4] in re.sub(r"\W", "", pages_of(pdf)[0])


def test_a_sign_without_a_font(caplog: pytest.LogCaptureFixture) -> None:
    """An emoji that no font has makes a plain PDF and an error in the log, never no invoice."""
    with caplog.at_level(logging.ERROR):
        pdf = render_invoice(printed(buyer=replace(LONDON, legal_name="Rocket 🚀 Ltd")))
    text = " ".join(pages_of(pdf))
    assert "Rocket" in text
    assert "Total €6,703.70" in text
    assert not is_archival(pdf)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "NW-2026-00042 is a plain PDF and no PDF/A" in caplog.text


@pytest.mark.parametrize("layout", ["classic", "compact"])
def test_long_values(layout: str) -> None:
    """Names of 200 letters, long words and the largest numbers are printed whole."""
    name = "W" * 200
    invoice = printed(
        seller=replace(BRITISH, layout=layout),
        buyer=Buyer(
            name, Address("S" * 200, "x " * 100, "P" * 20, "C" * 100, "R" * 100, "DE"), "T" * 40, "", "A" * 100
        ),
        lines=[("L" * 300, "d " * 500, "U" * 20, "999999999999.123456", "9999.123456", "0")],
        notes="word " * 400,
        number="N" * 60,
    )
    pdf = render_invoice(invoice)
    text = "".join("".join(pages_of(pdf)).replace("\u200b", "").split())
    assert name in text
    assert "L" * 300 in text
    assert "999,999,999,999.123456" in text
    assert is_archival(pdf)


def test_a_line_beyond_all_amounts() -> None:
    """A quantity and a price whose product no ledger can hold are printed; there is only no e-invoice of them."""
    line = replace(
        printed().lines[0], quantity=Decimal("999999999999.123456"), unit_price=Decimal("9999999999999.123456")
    )
    assert "9,999,999,999,999.123456" in text_of(replace(printed(), lines=(line,)))


def test_almost_nothing_is_enough() -> None:
    """A draft without names, lines, dates and a known language is drawn all the same."""
    zero = Money.zero("JPY")
    empty = PrintedInvoice(
        "invoice", "", "xx", "JPY", Seller(""), Buyer(""), (), (), zero, zero, zero, zero, is_preview=True
    )
    assert "Total ¥0" in text_of(empty)
    assert len(render_preview(empty)) == 1


def test_the_same_values_give_the_same_bytes() -> None:
    """Rendered again, also in other threads at once, an invoice is byte for byte the same; another one is not."""

    def fingerprint(invoice: PrintedInvoice) -> str:
        return hashlib.sha256(render_invoice(invoice)).hexdigest()

    with ThreadPoolExecutor(4) as pool:
        fingerprints = set(pool.map(fingerprint, [printed()] * 8))
    assert fingerprints == {fingerprint(printed())}
    assert fingerprint(printed(po_number="PO-4712")) not in fingerprints


def test_it_is_a_tagged_archival_pdf_of_its_day() -> None:
    """The PDF is a tagged PDF/A-3b with title, language and the date of the document."""
    with pikepdf.open(io.BytesIO(render_invoice(printed()))) as document:
        with document.open_metadata() as metadata:
            assert metadata.pdfa_status == "3B"
            assert metadata["xmp:CreateDate"] == "2026-11-24T00:00:00Z"
        assert document.Root.Lang == "en-GB"
        assert document.Root.MarkInfo.Marked
        assert document.docinfo.Title == "Invoice NW-2026-00042"
        assert document.check_pdf_syntax() == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language(language: str) -> None:
    """In each language the document is archival and no word of English wording is left."""
    pdf = render_invoice(printed(language=language, seller=GERMAN, buyer=STUTTGART))
    text = " ".join(pages_of(pdf))
    assert is_archival(pdf)
    assert "{" not in text
    if language != "en":
        for word in ("Date of issue", "Description", "Net total", "Amount due", "Please pay", " of 1"):
            assert word not in text


def test_german_figures_and_words() -> None:
    """A German invoice is written in German throughout."""
    text = text_of(printed(language="de", seller=GERMAN, buyer=STUTTGART, rates=(Rate("19", "USt. 19 %"),)))
    assert "Rechnung NW-2026-00042" in text
    assert "Rechnungsdatum 24. November 2026" in text
    assert "Leistungszeitraum 1.–30. Nov. 2026" in text
    assert "Gesamtbetrag 6.647,84 €" in text
    assert "Bitte zahlen Sie bis zum 24. Dezember 2026 und geben Sie die Referenz NW-2026-00042 an." in text


def test_no_country_at_home() -> None:
    """The country is printed only on a letter that goes abroad."""
    assert "GERMANY" in text_of(printed(buyer=STUTTGART))
    home = text_of(printed())
    assert "UNITED KINGDOM" not in home


def test_american_paper_and_dates() -> None:
    """An American seller's invoice is on letter paper, with American dates and address."""
    seller = replace(BRITISH, address=Address("1 Main St", "", "94105", "San Francisco", "CA", "US"))
    invoice = printed(seller=seller, currency="USD")
    with pikepdf.open(io.BytesIO(render_invoice(invoice))) as document:
        assert [float(value) for value in document.pages[0].mediabox] == [0, 0, 612, 792]
    text = text_of(invoice)
    assert "San Francisco, CA 94105" in text
    assert "November 24, 2026" in text


@pytest.mark.parametrize("colour", ["red", "", "#12345", "#1f5d46); #panic(", "#GGGGGG"])
def test_a_wrong_colour_is_not_used(colour: str) -> None:
    """Only a colour of six hexadecimal digits reaches the template."""
    assert sheet(printed(seller=replace(BRITISH, accent_colour=colour)))["accent"] == "#1f5d46"


def test_preview_pictures() -> None:
    """A preview is one PNG or SVG for each page of the document."""
    invoice = draft(lines=(SENSOR, VISIT, SUPPORT) * 10)
    count = len(pages_of(render_invoice(invoice)))
    pictures, drawings = render_preview(invoice), render_preview(invoice, "svg")
    assert len(pictures) == len(drawings) == count > 1
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert all(drawing.startswith(b"<svg") for drawing in drawings)
    assert b"<script" not in b"".join(drawings)


def test_currency_decimals_are_kept() -> None:
    """Yen have no decimals and dinars three, in prices, lines and totals."""
    yen = text_of(printed(currency="JPY", lines=[("Case", "", "", "3", "1500", "0")]))
    assert "Total JP¥5,400 " in yen
    assert "4,500.00" not in yen
    dinar = text_of(printed(currency="BHD", lines=[("Case", "", "", "3", "1.5", "0")]))
    assert "1.500" in dinar
    assert "Total BHD 5.400" in dinar


def test_a_sheet_is_plain_data() -> None:
    """What reaches the template can be written as JSON and holds no control signs."""
    texts = json.dumps(sheet(printed(notes="a\tb\x00\x1bc", issued_on=date(2026, 1, 2))), ensure_ascii=False)
    assert not re.search("[\x00-\x1f]", texts)
