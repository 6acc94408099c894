"""The e-invoice: what is printed, as UN/CEFACT Cross Industry Invoice of the EN 16931 profile (Factur-X, ZUGFeRD).

It is built only from values that suffice for a valid one; ``einvoice_gaps`` says in plain words what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import NamedTuple
from xml.etree import ElementTree

from counterfoil.core.money import Money, currency_decimals, rounded, sum_of
from counterfoil.core.periods import Period
from counterfoil.core.places import is_country
from counterfoil.core.text import normalised_code, plain
from counterfoil.documents.printed import Address, Buyer, PrintedInvoice, PrintedLine, PrintedTax, Seller

__all__ = ["FILE_NAME", "PROFILE", "einvoice_gaps", "einvoice_xml"]

FILE_NAME = "factur-x.xml"
PROFILE = "EN 16931"

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_GUIDELINE = "urn:cen.eu:en16931:2017"
_NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
}
for _prefix, _uri in _NAMESPACES.items():
    ElementTree.register_namespace(_prefix, _uri)

# In the order in which the schema has them.
_ORDERS = {
    "BT-14": "ram:SellerOrderReferencedDocument",
    "BT-13": "ram:BuyerOrderReferencedDocument",
    "BT-12": "ram:ContractReferencedDocument",
}
# Additional documents by their type of UNTDID 1001.
_DOCUMENTS = {"BT-17": "50", "BT-18": "130"}
_ELEMENTS = frozenset({"BT-10", "BT-11", "BT-19", *_ORDERS, *_DOCUMENTS})
_DOCUMENT_TYPES = {"invoice": "380", "credit_note": "381"}
_WITH_REASON = frozenset({"E", "AE", "G", "O"})
_LIMIT = 10**15
_CATEGORIES = _WITH_REASON | {"S", "Z"}
# Units of UN/ECE Recommendation 20 for the words that people write; anything else is "one" of something.
_UNITS = {
    "HUR": "h hr hrs hour hours std stunde stunden heure heures hora horas ora ore uur uren godz godzina",
    "DAY": "d day days tag tage jour jours dia dias giorno giorni dag dagen dzien dni",
    "WEE": "week weeks woche wochen semaine semaines semana semanas settimana settimane weken tydzien",
    "MON": "month months mo monat monate mois mes meses mese mesi maand maanden miesiac",
    "ANN": "year years yr jahr jahre an ans ano anos anno anni jaar jaren rok",
    "MIN": "min minute minutes minuten minuto minutos minuti minut",
    "H87": "pc pcs piece pieces stk stuck st piece pieces pieza piezas pezzo pezzi stuk stuks szt sztuka",
    "KGM": "kg kilogram kilogramm kilo",
    "GRM": "g gram gramm gramme grammes",
    "TNE": "t tonne tonnes tonnen",
    "MTR": "m metre metres meter metro metros metri",
    "KMT": "km kilometre kilometres kilometer",
    "MTK": "m2 sqm qm",
    "MTQ": "m3 cbm",
    "LTR": "l litre litres liter litro litros litri",
    "KWH": "kwh",
    "LS": "flat pauschal pauschale lump forfait",
}
_UNIT_CODES = {word: code for code, words in _UNITS.items() for word in words.split()}


def einvoice_gaps(printed: PrintedInvoice) -> list[str]:
    """Why no valid e-invoice can be made of these values; empty when one can."""
    seller, buyer = printed.seller, printed.buyer
    categories = {tax.category for tax in printed.taxes}
    reasons = {
        "A draft has no e-invoice.": printed.is_preview or not printed.number or printed.issued_on is None,
        "It has no lines.": not printed.lines,
        "Our own name or country is missing.": not seller.legal_name or not is_country(seller.address.country),
        "Our own tax id and registration number are missing.": not _has_identity(seller, categories),
        "The customer's name or country is missing.": not buyer.legal_name or not is_country(buyer.address.country),
        "The customer's tax id is missing, which reverse charge needs.": "AE" in categories
        and not _vat_id(buyer.tax_id),
        f"{printed.currency} has more decimals than an e-invoice takes.": currency_decimals(printed.currency) > 2,
        "It has a tax category that is not supported here.": not categories <= _CATEGORIES,
        "The reason for an exemption is missing.": any(
            tax.category in _WITH_REASON and not tax.reason.strip() for tax in printed.taxes
        ),
        "What is outside the scope of tax stands beside what is not.": "O" in categories and len(categories) > 1,
        "A line bears several taxes, and an e-invoice of EN 16931 has one on each.": any(
            line.has_several_taxes for line in printed.lines
        ),
        "A line's amount is not its quantity times its price.": not all(_line_adds_up(line) for line in printed.lines),
        "The taxes are not those of the lines, rate by rate.": not _taxes_add_up(printed),
        "The totals do not add up.": not _totals_add_up(printed),
    }
    return [reason for reason, holds in reasons.items() if holds]


def einvoice_xml(printed: PrintedInvoice) -> bytes:
    """The e-invoice. Call it only when ``einvoice_gaps`` finds none."""
    root = ElementTree.Element(_name("rsm:CrossIndustryInvoice"))
    _put(root, "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID", _GUIDELINE)
    document = _put(root, "rsm:ExchangedDocument")
    _put(document, "ram:ID", printed.number)
    _put(document, "ram:TypeCode", _DOCUMENT_TYPES[printed.kind])
    _put_day(document, "ram:IssueDateTime", printed.issued_on)
    places = _places(printed)
    for note in (*places.notes, printed.notes):
        if note.strip():
            _put(document, "ram:IncludedNote/ram:Content", note)
    transaction = _put(root, "rsm:SupplyChainTradeTransaction")
    for line in printed.lines:
        _line(transaction, line)
    _agreement(transaction, printed, places.filled)
    _delivery(transaction, printed)
    _settlement(transaction, printed, places.filled)
    return _DECLARATION + ElementTree.tostring(root, encoding="unicode").encode()


def _line(transaction: ElementTree.Element, line: PrintedLine) -> None:
    item = _put(transaction, "ram:IncludedSupplyChainTradeLineItem")
    _put(item, "ram:AssociatedDocumentLineDocument/ram:LineID", str(line.position))
    product = _put(item, "ram:SpecifiedTradeProduct")
    _put(product, "ram:Name", line.text or str(line.position))
    if line.detail:
        _put(product, "ram:Description", line.detail)
    # A price is never negative in EN 16931; the quantity carries the sign.
    quantity, unit_price = _factors(line)
    sign = -1 if unit_price < 0 else 1
    price = _put(item, "ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice")
    _put(price, "ram:ChargeAmount", _plain(abs(unit_price)))
    delivery = _put(item, "ram:SpecifiedLineTradeDelivery")
    unit = "" if line.is_net_given or line.base is not None else line.unit
    _put(delivery, "ram:BilledQuantity", _plain(sign * quantity), unitCode=_unit_code(unit))
    settlement = _put(item, "ram:SpecifiedLineTradeSettlement")
    _tax_kind(_put(settlement, "ram:ApplicableTradeTax"), line.tax_category, line.tax_percent)
    _put_period(settlement, line.service)
    net = _net(line)
    discount = _gross(line) - net
    if discount:
        allowance = _put(settlement, "ram:SpecifiedTradeAllowanceCharge")
        _put(_put(allowance, "ram:ChargeIndicator"), "udt:Indicator", "false" if discount.amount > 0 else "true")
        _put(allowance, "ram:ActualAmount", _amount(abs(discount)))
        only_percent = line.discount_percent and line.before is None
        _put(allowance, "ram:Reason", f"{_plain(line.discount_percent)} %" if only_percent else "Discount")
    _put(
        settlement,
        "ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount",
        _amount(net),
    )


class _Places(NamedTuple):
    """Where references stand: those that fill an element by its business term, and the notes."""

    filled: Mapping[str, str]
    notes: Sequence[str]


def _places(printed: PrintedInvoice) -> _Places:
    """Each element takes one reference. A second one, and what would push the PO number out, stands in a note."""
    filled = {"BT-13": printed.po_number} if printed.po_number else {}
    notes = []
    for one in printed.named:
        value = _canonical(one.value)
        if one.element in _ELEMENTS and one.element not in filled:
            filled[one.element] = value
        elif one.element != "none":
            notes.append(f"{one.name}: {value}")
    notes += [f"{what}: {value}" if what else value for what, value in printed.references]
    return _Places(filled, notes)


def _canonical(value: str | Decimal | date) -> str:
    if isinstance(value, Decimal):
        return _plain(value)
    return value.isoformat() if isinstance(value, date) else value


def _agreement(transaction: ElementTree.Element, printed: PrintedInvoice, filled: Mapping[str, str]) -> None:
    agreement = _put(transaction, "ram:ApplicableHeaderTradeAgreement")
    if "BT-10" in filled:
        _put(agreement, "ram:BuyerReference", filled["BT-10"])
    outside = any(tax.category == "O" for tax in printed.taxes)
    _seller(_put(agreement, "ram:SellerTradeParty"), printed.seller, outside)
    _buyer(_put(agreement, "ram:BuyerTradeParty"), printed.buyer, outside)
    for term, tag in _ORDERS.items():
        if term in filled:
            _put(agreement, f"{tag}/ram:IssuerAssignedID", filled[term])
    for term, code in _DOCUMENTS.items():
        if term in filled:
            named = _put(agreement, "ram:AdditionalReferencedDocument")
            _put(named, "ram:IssuerAssignedID", filled[term])
            _put(named, "ram:TypeCode", code)
    if "BT-11" in filled:
        project = _put(agreement, "ram:SpecifiedProcuringProject")
        _put(project, "ram:ID", filled["BT-11"])
        _put(project, "ram:Name", "Project reference")


def _seller(party: ElementTree.Element, seller: Seller, outside: bool) -> None:
    _put(party, "ram:Name", seller.legal_name)
    if seller.registration_number:
        _put(party, "ram:SpecifiedLegalOrganization/ram:ID", seller.registration_number)
    if seller.email or seller.phone:
        contact = _put(party, "ram:DefinedTradeContact")
        _put(contact, "ram:PersonName", seller.legal_name)
        if seller.phone:
            _put(contact, "ram:TelephoneUniversalCommunication/ram:CompleteNumber", seller.phone)
        if seller.email:
            _put(contact, "ram:EmailURIUniversalCommunication/ram:URIID", seller.email)
    _address(party, seller.address)
    if seller.email:
        _put(_put(party, "ram:URIUniversalCommunication"), "ram:URIID", seller.email, schemeID="EM")
    if seller.tax_id and not outside:
        vat_id = _vat_id(seller.tax_id)
        scheme = "VA" if vat_id else "FC"
        _put(_put(party, "ram:SpecifiedTaxRegistration"), "ram:ID", vat_id or seller.tax_id, schemeID=scheme)


def _buyer(party: ElementTree.Element, buyer: Buyer, outside: bool) -> None:
    if buyer.customer_number:
        _put(party, "ram:ID", buyer.customer_number)
    _put(party, "ram:Name", buyer.legal_name)
    if buyer.registration_number:
        _put(party, "ram:SpecifiedLegalOrganization/ram:ID", buyer.registration_number)
    if buyer.attention:
        _put(party, "ram:DefinedTradeContact/ram:PersonName", buyer.attention)
    _address(party, buyer.address)
    vat_id = _vat_id(buyer.tax_id)
    if vat_id and not outside:
        _put(_put(party, "ram:SpecifiedTaxRegistration"), "ram:ID", vat_id, schemeID="VA")


def _address(party: ElementTree.Element, address: Address) -> None:
    place = _put(party, "ram:PostalTradeAddress")
    for tag, value in (
        ("ram:PostcodeCode", address.postcode),
        ("ram:LineOne", address.street),
        ("ram:LineTwo", address.street_2),
        ("ram:CityName", address.city),
        ("ram:CountryID", address.country),
        ("ram:CountrySubDivisionName", address.region),
    ):
        if value:
            _put(place, tag, value)


def _delivery(transaction: ElementTree.Element, printed: PrintedInvoice) -> None:
    delivery = _put(transaction, "ram:ApplicableHeaderTradeDelivery")
    delivered_on = printed.service.last_day if printed.service else printed.issued_on
    _put_day(_put(delivery, "ram:ActualDeliverySupplyChainEvent"), "ram:OccurrenceDateTime", delivered_on)


def _settlement(transaction: ElementTree.Element, printed: PrintedInvoice, filled: Mapping[str, str]) -> None:
    settlement = _put(transaction, "ram:ApplicableHeaderTradeSettlement")
    _put(settlement, "ram:PaymentReference", printed.reference or printed.number)
    _put(settlement, "ram:InvoiceCurrencyCode", printed.currency)
    if printed.seller.iban:
        means = _put(settlement, "ram:SpecifiedTradeSettlementPaymentMeans")
        _put(means, "ram:TypeCode", "58" if printed.currency == "EUR" else "30")
        iban = normalised_code(printed.seller.iban)
        _put(means, "ram:PayeePartyCreditorFinancialAccount/ram:IBANID", iban)
        if printed.seller.bic:
            bic = normalised_code(printed.seller.bic)
            _put(means, "ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID", bic)
    for tax in _by_rate(printed.taxes):
        _tax(settlement, tax)
    _put_period(settlement, printed.service)
    if printed.terms or printed.due_on:
        terms = _put(settlement, "ram:SpecifiedTradePaymentTerms")
        described = _described(printed)
        if described:
            _put(terms, "ram:Description", described)
        _put_day(terms, "ram:DueDateDateTime", printed.due_on)
    _totals(settlement, printed)
    for number, issued_on in printed.corrected:
        corrected = _put(settlement, "ram:InvoiceReferencedDocument")
        _put(corrected, "ram:IssuerAssignedID", number)
        _put_day(corrected, "ram:FormattedIssueDateTime", issued_on, "qdt")
    if "BT-19" in filled:
        _put(settlement, "ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID", filled["BT-19"])


def _described(printed: PrintedInvoice) -> str:
    """The terms by name, with the day and amount of each instalment and of an early payment, for any reader."""
    parts = [f"{one.due_on.isoformat()}: {one.amount}" for one in printed.instalments]
    early = [f"<= {printed.early.due_on.isoformat()}: {printed.early.amount}"] if printed.early else []
    return "; ".join(text for text in (printed.terms, *parts, *early) if text)


def _tax(settlement: ElementTree.Element, tax: PrintedTax) -> None:
    element = _put(settlement, "ram:ApplicableTradeTax")
    _put(element, "ram:CalculatedAmount", _amount(tax.amount))
    _put(element, "ram:TypeCode", "VAT")
    if tax.category in _WITH_REASON:
        _put(element, "ram:ExemptionReason", tax.reason)
    _put(element, "ram:BasisAmount", _amount(tax.base))
    _put(element, "ram:CategoryCode", tax.category)
    _put_rate(element, tax.category, tax.percent)


def _totals(settlement: ElementTree.Element, printed: PrintedInvoice) -> None:
    totals = _put(settlement, "ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    _put(totals, "ram:LineTotalAmount", _amount(printed.net))
    _put(totals, "ram:TaxBasisTotalAmount", _amount(printed.net))
    _put(totals, "ram:TaxTotalAmount", _amount(printed.tax), currencyID=printed.currency)
    _put(totals, "ram:GrandTotalAmount", _amount(printed.total))
    if printed.paid:
        _put(totals, "ram:TotalPrepaidAmount", _amount(printed.paid))
    _put(totals, "ram:DuePayableAmount", _amount(printed.open))


def _tax_kind(element: ElementTree.Element, category: str, percent: Decimal) -> None:
    _put(element, "ram:TypeCode", "VAT")
    _put(element, "ram:CategoryCode", category)
    _put_rate(element, category, percent)


def _put_rate(element: ElementTree.Element, category: str, percent: Decimal) -> None:
    if category != "O":
        _put(element, "ram:RateApplicablePercent", _plain(percent))


def _has_identity(seller: Seller, categories: set[str]) -> bool:
    """Taxed sales need a tax id; others at least a registration number, since a tax id must not stand beside "O"."""
    if "O" in categories:
        return bool(seller.registration_number.strip())
    return bool(normalised_code(seller.tax_id))


def _line_adds_up(line: PrintedLine) -> bool:
    """Whether quantity times price comes to the line's amount, or to what its discount is taken from."""
    quantity, unit_price = _factors(line)
    if abs(Fraction(quantity) * Fraction(unit_price)) >= _LIMIT:
        return False
    return bool(line.discount_percent) or _gross(line) == _full(line)


def _gross(line: PrintedLine) -> Money:
    quantity, unit_price = _factors(line)
    return rounded(Fraction(quantity) * Fraction(unit_price), line.net.currency)


def _factors(line: PrintedLine) -> tuple[Decimal, Decimal]:
    """Quantity and price as the rules of EN 16931 multiply them: one of the amount where the amount is given."""
    if line.base is not None:
        return Decimal(1), line.base.amount
    if line.is_net_given:
        return Decimal(1), _full(line).amount
    return line.quantity, line.unit_price


def _full(line: PrintedLine) -> Money:
    """The line's amount before discounts on the whole document; without tax, where its price includes that."""
    if line.base is not None:
        return line.base
    return line.net if line.before is None else line.before


def _net(line: PrintedLine) -> Money:
    """The line's amount without tax."""
    return line.net if line.base is None else line.base


def _taxes_add_up(printed: PrintedInvoice) -> bool:
    """EN 16931 taxes the sum of each rate and rounds it once. Tax taken out of prices, or taken back in parts, may be a
    unit off: so much EN 16931 allows.
    """
    slack = Decimal(0)
    if printed.kind == "credit_note" or any(line.base is not None for line in printed.lines):
        slack = Decimal(1).scaleb(-currency_decimals(printed.currency))
    bases: dict[tuple[str, Decimal], list[Money]] = {}
    for line in printed.lines:
        bases.setdefault((line.tax_category, line.tax_percent.normalize()), []).append(_net(line))
    taxes = _by_rate(printed.taxes)
    if len(taxes) != len(bases):
        return False
    return all(
        tax.base == sum_of(bases.get((tax.category, tax.percent.normalize()), []), printed.currency)
        and abs(tax.amount - rounded(tax.base.amount * tax.percent / 100, printed.currency)).amount <= slack
        for tax in taxes
    )


def _by_rate(taxes: Iterable[PrintedTax]) -> list[PrintedTax]:
    """The taxes as EN 16931 has them: one of each category and rate, whether it is in the prices or comes on top."""
    found: dict[tuple[str, Decimal], PrintedTax] = {}
    for tax in taxes:
        key = (tax.category, tax.percent.normalize())
        same = found.get(key)
        found[key] = tax if same is None else replace(same, base=same.base + tax.base, amount=same.amount + tax.amount)
    return list(found.values())


def _totals_add_up(printed: PrintedInvoice) -> bool:
    currency = printed.currency
    return (
        printed.net == sum_of((_net(line) for line in printed.lines), currency)
        and printed.tax == sum_of((tax.amount for tax in printed.taxes), currency)
        and printed.total == printed.net + printed.tax
    )


def _vat_id(tax_id: str) -> str:
    """The tax id as a VAT identifier with its country in front, or nothing where it is not one."""
    code = normalised_code(tax_id)
    return code if len(code) > 2 and (is_country(code[:2]) or code[:2] == "EL") else ""


def _unit_code(unit: str) -> str:
    word = "".join(letter for letter in plain(unit) if letter.isalnum())
    return _UNIT_CODES.get(word, "C62")


def _amount(money: Money) -> str:
    return str(money.amount)


def _plain(number: Decimal) -> str:
    """A number without an exponent and without zeros at its end."""
    return f"{number.normalize():f}"


def _put(parent: ElementTree.Element, path: str, text: str = "", **attributes: str) -> ElementTree.Element:
    """Add the elements of the path below each other; the last one gets the text and the attributes."""
    element = parent
    for tag in path.split("/"):
        element = ElementTree.SubElement(element, _name(tag))
    if text:
        element.text = text if text.isprintable() else _without_control_signs(text)
    for name, value in attributes.items():
        element.set(name, value)
    return element


def _put_day(parent: ElementTree.Element, tag: str, day: date | None, prefix: str = "udt") -> None:
    if day is not None:
        _put(parent, f"{tag}/{prefix}:DateTimeString", f"{day:%Y%m%d}").set("format", "102")


def _put_period(parent: ElementTree.Element, period: Period | None) -> None:
    if period is not None:
        element = _put(parent, "ram:BillingSpecifiedPeriod")
        _put_day(element, "ram:StartDateTime", period.start)
        _put_day(element, "ram:EndDateTime", period.last_day)


def _without_control_signs(text: str) -> str:
    return "".join(letter for letter in text if letter in "\n\t" or letter.isprintable())


@cache
def _name(tag: str) -> str:
    prefix, _, local = tag.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"
