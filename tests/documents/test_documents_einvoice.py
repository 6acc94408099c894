"""The e-invoice satisfies EN 16931, or there is none and a plain word why."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from xml.etree import ElementTree

import pikepdf
import pytest
from lxml import etree
from printed_examples import (
    BRITISH,
    GERMAN,
    LONDON,
    SENSOR,
    STUTTGART,
    VISIT,
    Rate,
    credit_note,
    draft,
    printed,
)
from saxonche import PySaxonProcessor

from counterfoil.core.money import Money, rounded, sum_of
from counterfoil.documents.einvoice import einvoice_gaps, einvoice_xml
from counterfoil.documents.factur_x import mark_as_factur_x
from counterfoil.documents.pdf import render_invoice
from counterfoil.documents.printed import Address, NamedReference, PrintedInvoice, PrintedPart

RULES = files("facturx").joinpath("xsd_and_schematron", "facturx-en16931")
RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
FAILED = "{http://purl.oclc.org/dsdl/svrl}failed-assert"
FX = "{urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#}"

Judge = Callable[[bytes], list[str]]

EXEMPT = Rate("0", "Exempt", "E", "Exempt under Article 132")
REVERSE = Rate("0", "Reverse charge", "AE", "The recipient owes the tax")
OUTSIDE = Rate("0", "Outside scope", "O", "Outside the scope of VAT")
EXPORT = Rate("0", "Export", "G", "Export outside the EU")


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """Every rule of the schema and of EN 16931 that an e-invoice breaks."""
    schema = etree.XMLSchema(etree.parse(str(RULES.joinpath("Factur-X_EN16931.xsd"))))
    with PySaxonProcessor(license=False) as processor:
        stylesheet = str(RULES.joinpath("FACTUR-X_EN16931.xslt"))
        rules = processor.new_xslt30_processor().compile_stylesheet(stylesheet_file=stylesheet)

        def broken(xml: bytes) -> list[str]:
            schema.validate(etree.fromstring(xml))
            found = [error.message for error in schema.error_log]
            report = rules.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
            failures = etree.fromstring(report.encode()).iter(FAILED)
            return found + ["".join(failure.itertext()).strip() for failure in failures]

        yield broken


def with_given_nets(invoice: PrintedInvoice, *nets: str, before: tuple[str, ...] = ()) -> PrintedInvoice:
    """The invoice with these nets on its lines, which are given unless they were something ``before``; all at one
    rate.
    """
    given = [Money(Decimal(net), "EUR") for net in nets]
    full = [Money(Decimal(net), "EUR") for net in before] or [None] * len(nets)
    lines = tuple(
        replace(line, net=net, is_net_given=not before, before=was)
        for line, net, was in zip(invoice.lines, given, full, strict=True)
    )
    net = sum_of(given, "EUR")
    tax = rounded(net.amount * invoice.taxes[0].percent / 100, "EUR")
    taxes = (replace(invoice.taxes[0], base=net, amount=tax),)
    return replace(invoice, lines=lines, taxes=taxes, net=net, tax=tax, total=net + tax)


def with_tax_in_prices(invoice: PrintedInvoice) -> PrintedInvoice:
    """The invoice whose lines say what they come to with tax."""
    said = sum_of((line.net for line in invoice.lines), "EUR")
    tax = rounded(Fraction(said.amount) * 19 / 119, "EUR")
    parts = tax.allocate([line.net.amount for line in invoice.lines])
    lines = tuple(replace(line, base=line.net - part) for line, part in zip(invoice.lines, parts, strict=True))
    taxes = (replace(invoice.taxes[0], base=said - tax, amount=tax),)
    return replace(invoice, lines=lines, taxes=taxes, net=said - tax, tax=tax, total=said)


def with_tax_in_the_first_price(invoice: PrintedInvoice) -> PrintedInvoice:
    """The invoice whose first line says what it comes to with tax; the others bear the same rate on top."""
    first, *others = invoice.lines
    inside = rounded(Fraction(first.net.amount) * 19 / 119, "EUR")
    on_top = rounded(sum_of((line.net for line in others), "EUR").amount * 19 / 100, "EUR")
    base = first.net - inside
    net = base + sum_of((line.net for line in others), "EUR")
    (tax,) = invoice.taxes
    taxes = (replace(tax, base=base, amount=inside), replace(tax, base=net - base, amount=on_top))
    lines = (replace(first, base=base), *others)
    return replace(invoice, lines=lines, taxes=taxes, net=net, tax=inside + on_top, total=net + inside + on_top)


def a_cent_off(invoice: PrintedInvoice) -> PrintedInvoice:
    cent = Money(Decimal("0.01"), "EUR")
    taxes = (replace(invoice.taxes[0], amount=invoice.taxes[0].amount + cent),)
    return replace(invoice, taxes=taxes, tax=invoice.tax + cent, total=invoice.total + cent)


VALID = {
    "plain": printed(),
    "german": printed(language="de", seller=GERMAN, buyer=STUTTGART, rates=(Rate("19", "USt."), Rate("7", "USt. 7 %"))),
    "credit note": credit_note(),
    "credit note of two": credit_note(corrected=(("NW-41", date(2026, 10, 24)), ("NW-42", date(2026, 11, 24)))),
    "part paid": printed(paid=Money(Decimal(100), "EUR")),
    "exempt beside taxed": printed(rates=(Rate(), EXEMPT)),
    "zero-rated": printed(rates=(Rate("0", "Zero", "Z"),)),
    "reverse charge": printed(rates=(REVERSE,), seller=GERMAN),
    "outside scope": printed(rates=(OUTSIDE,)),
    "export": printed(rates=(EXPORT,), seller=GERMAN),
    "yen": printed(currency="JPY"),
    "discount of everything": printed(lines=[SENSOR, ("Gift", "", "", "1", "99.99", "100")]),
    "negative price": printed(lines=[SENSOR, ("Voucher", "", "", "1", "-10.55", "0")]),
    "given nets": with_given_nets(printed(rates=(Rate("19"),)), "54.84", "-20.16", "10"),
    "tax in the prices": with_tax_in_prices(printed(rates=(Rate("19"),))),
    "tax in one of the prices": with_tax_in_the_first_price(printed(rates=(Rate("19"),))),
    "discount on the whole": with_given_nets(
        printed(rates=(Rate("19"),)), "1456.03", "1411.55", "2160.00", before=("1617.81", "1567.50", "2400.00")
    ),
    "credit note a cent off": a_cent_off(credit_note()),
    "tiny price": printed(lines=[("Calls", "", "", "123456.789", "0.000123", "0")]),
    "no bank account": printed(seller=replace(BRITISH, iban="", bic="", bank_name="")),
    "tax id that is no VAT id": printed(seller=replace(BRITISH, tax_id="12/345/67890")),
    "hostile": printed(buyer=replace(LONDON, legal_name="<&>\"'\x00\x1b]]>"), notes="<x/>&amp;\x07\ud800\ufffe"),
    "other scripts": printed(buyer=replace(LONDON, legal_name="株式会社サンプル 🚀"), notes="שלום"),
    "no due date": printed(due_on=None),
    "in instalments": printed(
        instalments=(PrintedPart(date(2026, 12, 1), Money(Decimal(9), "EUR")),) * 2,
        early=PrintedPart(date(2026, 12, 1), Money(Decimal(17), "EUR")),
    ),
    "lump sum": printed(lines=[("Visit", "", "pauschal", "1", "500", "0"), VISIT]),
}


@pytest.mark.parametrize("case", VALID)
def test_the_einvoice_satisfies_en_16931(case: str, judge: Judge) -> None:
    """The schema and every business rule of EN 16931 hold for whatever has no gaps."""
    assert einvoice_gaps(VALID[case]) == []
    assert judge(einvoice_xml(VALID[case])) == []


def test_the_judge_is_awake(judge: Judge) -> None:
    """A wrong total, a missing country and a missing tax id are found by the rules themselves."""
    wrong = replace(printed(), total=Money(Decimal(1), "EUR"))
    nowhere = replace(printed(), buyer=replace(LONDON, address=Address()))
    untaxed = printed(seller=replace(BRITISH, tax_id=""))
    for invoice, rule in ((wrong, "BR-CO-15"), (nowhere, "BR-11"), (untaxed, "BR-S-02")):
        assert any(rule in found for found in judge(einvoice_xml(invoice))), rule


def without_tax_row(invoice: PrintedInvoice) -> PrintedInvoice:
    zero = Money.zero("EUR")
    return replace(invoice, taxes=(), tax=zero, total=invoice.net)


def a_wrong_line(invoice: PrintedInvoice) -> PrintedInvoice:
    lines = list(invoice.lines)
    lines[1] = replace(lines[1], unit_price=Decimal(94))
    return replace(invoice, lines=tuple(lines))


@pytest.mark.parametrize(
    ("invoice", "gap"),
    [
        (draft(), "A draft has no e-invoice."),
        (printed(seller=replace(BRITISH, address=Address())), "Our own name or country is missing."),
        (printed(seller=replace(BRITISH, tax_id="")), "Our own tax id and registration number are missing."),
        (printed(buyer=replace(LONDON, address=Address(city="London"))), "The customer's name or country is missing."),
        (
            printed(rates=(REVERSE,), buyer=replace(LONDON, tax_id="")),
            "The customer's tax id is missing, which reverse charge needs.",
        ),
        (printed(currency="BHD"), "BHD has more decimals than an e-invoice takes."),
        (printed(rates=(Rate("0", "Supply", "K", "x"),)), "It has a tax category that is not supported here."),
        (printed(rates=(Rate("0", "Exempt", "E", " "),)), "The reason for an exemption is missing."),
        (printed(rates=(OUTSIDE, Rate())), "What is outside the scope of tax stands beside what is not."),
        (a_wrong_line(printed()), "A line's amount is not its quantity times its price."),
        (a_cent_off(printed()), "The taxes are not those of the lines, rate by rate."),
        (without_tax_row(printed()), "The taxes are not those of the lines, rate by rate."),
        (replace(printed(), net=Money(Decimal(1), "EUR")), "The totals do not add up."),
    ],
)
def test_gaps_are_named(invoice: PrintedInvoice, gap: str) -> None:
    """What is missing for a valid e-invoice is said in plain words, and then none is attached."""
    assert gap in einvoice_gaps(invoice)
    with pikepdf.open(io.BytesIO(render_invoice(invoice))) as document:
        assert list(document.attachments) == []


def test_an_invoice_without_lines_has_none() -> None:
    """An empty invoice is no e-invoice."""
    zero = Money.zero("EUR")
    empty = replace(printed(), lines=(), taxes=(), net=zero, tax=zero, total=zero)
    assert einvoice_gaps(empty) == ["It has no lines."]


def test_the_pdf_carries_the_einvoice() -> None:
    """The PDF holds exactly the e-invoice, as an alternative of itself, and says so where readers look for it."""
    invoice = printed()
    with pikepdf.open(io.BytesIO(render_invoice(invoice))) as document:
        assert document.check_pdf_syntax() == []
        assert document.attachments["factur-x.xml"].get_file().read_bytes() == einvoice_xml(invoice)
        assert [str(file.AFRelationship) for file in document.Root.AF] == ["/Alternative"]
        with document.open_metadata() as metadata:
            assert metadata.pdfa_status == "3B"
            assert {name: metadata[FX + name] for name in ("DocumentType", "DocumentFileName", "Version")} == {
                "DocumentType": "INVOICE",
                "DocumentFileName": "factur-x.xml",
                "Version": "1.0",
            }
            assert metadata[FX + "ConformanceLevel"] == "EN 16931"
        # The description of the four values that PDF/A demands stands beside that of the others.
        raw = ElementTree.fromstring(document.Root.Metadata.read_bytes())
        prefixes = [element.text for element in raw.iter("{http://www.aiim.org/pdfa/ns/schema#}prefix")]
        assert prefixes == ["xmpMM", "pdf", "fx"]


def test_the_mark_leaves_every_offset_right() -> None:
    """Behind the grown metadata every object is still where the cross-reference table says."""
    pdf = render_invoice(printed(lines=[SENSOR] * 40))
    table_at = int(pdf.rsplit(b"startxref\n", 1)[1].split()[0])
    assert pdf[table_at:].startswith(b"xref\n")
    for number, entry in enumerate(pdf[table_at:].split(b"trailer")[0].splitlines()[3:], 1):
        assert pdf[int(entry[:10]) :].startswith(b"%d 0 obj" % number)


@pytest.mark.parametrize(
    "pdf", [b"", b"%PDF-1.7\nno metadata", b"<</Length 1/Type/Metadata/Subtype/XML>>\nstream\nx\nendstream\nxref\n"]
)
def test_other_pdfs_are_not_marked(pdf: bytes) -> None:
    """A PDF without the metadata of a PDF/A is refused rather than damaged."""
    with pytest.raises(ValueError, match="metadata"):
        mark_as_factur_x(pdf)


def test_units_and_figures() -> None:
    """Units are codes of UN/ECE Recommendation 20, figures are exact and without exponent."""
    root = ElementTree.fromstring(
        einvoice_xml(
            printed(lines=[("A", "", "Stunden", "1.50", "100", "0"), ("B", "", "crates", "1E+2", "1E-6", "0")])
        )
    )
    quantities = [(item.text, item.get("unitCode")) for item in root.iter(RAM + "BilledQuantity")]
    assert quantities == [("1.5", "HUR"), ("100", "C62")]
    assert [item.text for item in root.iter(RAM + "ChargeAmount")] == ["100", "0.000001"]


# References -----------------------------------------------------------------------------------------------------------

TERMS = ("BT-10", "BT-11", "BT-12", "BT-13", "BT-14", "BT-17", "BT-18", "BT-19")


def test_each_reference_fills_its_element(judge: Judge) -> None:
    """All of them together satisfy the schema and EN 16931, each at its place."""
    named = tuple(NamedReference(f"Name of {term}", f"value of {term}", term) for term in TERMS)
    xml = einvoice_xml(replace(printed(), po_number="", named=named))
    assert judge(xml) == []
    root = etree.fromstring(xml)
    found = {
        term: root.xpath(f"string(//ram:{path})", namespaces={"ram": RAM[1:-1]})
        for term, path in {
            "BT-10": "BuyerReference",
            "BT-11": "SpecifiedProcuringProject/ram:ID",
            "BT-12": "ContractReferencedDocument/ram:IssuerAssignedID",
            "BT-13": "BuyerOrderReferencedDocument/ram:IssuerAssignedID",
            "BT-14": "SellerOrderReferencedDocument/ram:IssuerAssignedID",
            "BT-17": "AdditionalReferencedDocument[ram:TypeCode='50']/ram:IssuerAssignedID",
            "BT-18": "AdditionalReferencedDocument[ram:TypeCode='130']/ram:IssuerAssignedID",
            "BT-19": "ReceivableSpecifiedTradeAccountingAccount/ram:ID",
        }.items()
    }
    assert found == {term: f"value of {term}" for term in TERMS}
    assert b"Name of BT" not in xml


def test_what_an_element_has_no_room_for_is_a_note(judge: Judge) -> None:
    """The document's own PO number stays, one reference fills an element, and what goes nowhere is left out."""
    named = (
        NamedReference("Order", "O-1", "BT-13"),
        NamedReference("Project", Decimal("12.50"), "BT-11"),
        NamedReference("Old project", date(2026, 3, 31), "BT-11"),
        NamedReference("Free", "as agreed", "note"),
        NamedReference("Ours", "secret", "none"),
    )
    xml = einvoice_xml(replace(printed(), po_number="PO 7", named=named, references=(("Also", "this"),)))
    assert judge(xml) == []
    root = etree.fromstring(xml)
    order = root.xpath("string(//ram:BuyerOrderReferencedDocument)", namespaces={"ram": RAM[1:-1]})
    project = root.xpath("string(//ram:SpecifiedProcuringProject/ram:ID)", namespaces={"ram": RAM[1:-1]})
    notes = [note.text for note in root.iterfind(f".//{RAM}IncludedNote/{RAM}Content")]
    assert (order, project) == ("PO 7", "12.5")
    assert notes[:4] == ["Order: O-1", "Old project: 2026-03-31", "Free: as agreed", "Also: this"]
    assert b"secret" not in xml
