"""A small company to measure on, made by the product's own commands."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.accounts import commands as accounts
from counterfoil.accounts.models import Account
from counterfoil.catalog import commands as catalog
from counterfoil.catalog.models import Product
from counterfoil.core.money import Money
from counterfoil.documents.printed import Address, Buyer, PrintedInvoice, PrintedLine, PrintedTax, Seller
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.invoicing.rules.orders import DraftOrder, OrderLine
from counterfoil.ledger import commands as ledger
from counterfoil.ledger.models import LegalEntity

ON = date(2026, 4, 1)
AT = datetime(2026, 4, 1, 9, tzinfo=UTC)


class World:
    """One entity, one customer that is ready to be billed, two products. Made once per database."""

    def __init__(self) -> None:
        from counterfoil.deals import commands as deals

        self.actor = Actor.system("Bench", "cli")
        if not LegalEntity.objects.exists():
            accounts.install_defaults(actor=self.actor)
            ledger.add_entity(actor=self.actor, values=_ENTITY)
            invoicing.install_defaults(actor=self.actor)
            deals.install_defaults(actor=self.actor)
            account = accounts.add_account(actor=self.actor, values=_ACCOUNT, on=ON)
            contact = accounts.add_contact(
                actor=self.actor, values={"name": "Ada Beck", "email": "ada@acme.example"}, on=ON
            )
            accounts.give_role(actor=self.actor, account_id=account, contact_id=contact, role="billing", on=ON)
            for code, price in (("A", "120.00"), ("B", "80.50")):
                catalog.add_product(
                    actor=self.actor,
                    values={"name": f"Work {code}", "code": code, "unit_price": price, "currency": "EUR"},
                )
        self.entity: UUID = LegalEntity.objects.values_list("id", flat=True).get()
        self.account: UUID = Account.objects.order_by("id").values_list("id", flat=True)[0]
        self.products: list[UUID] = list(Product.objects.order_by("code").values_list("id", flat=True))

    def deals(self, count: int) -> list[UUID]:
        """Open deals with two lines each, ready to be won."""
        from counterfoil.deals import commands as deals

        return [
            deals.add_deal(
                actor=self.actor,
                values={
                    "name": f"Deal {number}",
                    "account": str(self.account),
                    "currency": "EUR",
                    "lines": [{"product": str(product), "quantity": "2"} for product in self.products],
                },
                on=ON,
            )
            for number in range(count)
        ]

    def invoices(self, count: int) -> list[UUID]:
        """Issued invoices that owe at least 100.00 each."""
        line = OrderLine("Work", Decimal(1), Decimal("100.00"))
        for start in range(0, count, 200):
            size = min(200, count - start)
            orders = [DraftOrder(account_id=self.account, lines=(line,))] * size
            ids = invoicing.draft_invoices(actor=self.actor, orders=orders, on=ON, at=AT)
            invoicing.issue_invoices(actor=self.actor, invoice_ids=ids, on=ON, at=AT, send=False)
        return list(
            Invoice.objects.filter(status="issued", settled=0).order_by("id").values_list("id", flat=True)[:count]
        )


_ENTITY = {
    "name": "Bench", "legal_name": "Bench GmbH", "street": "Weg 1", "postcode": "10115", "city": "Berlin",
    "country": "DE", "tax_id": "DE136695976", "currency": "EUR", "timezone": "Europe/Berlin",
    "iban": "DE89370400440532013000", "email": "billing@bench.example",
}  # fmt: skip
_ACCOUNT = {
    "legal_name": "Acme AG",
    "tax_profile": "standard",
    "addresses": [{"kind": "invoice", "street": "Gasse 2", "postcode": "50667", "city": "Köln", "country": "DE"}],
}


def two_page_invoice() -> PrintedInvoice:
    """28 lines on two pages, with everything that an EN 16931 invoice needs."""
    lines = tuple(
        PrintedLine(
            position=number,
            text=f"Interface design, work package {number}",
            detail="Screens, review with the team, and a prototype that can be clicked through",
            quantity=Decimal(2),
            unit="day",
            unit_price=Decimal("1180.00"),
            net=Money(Decimal("2360.00"), "EUR"),
            tax_label="VAT 19 %",
            tax_percent=Decimal(19),
        )
        for number in range(1, 29)
    )
    net, tax = Money(Decimal("66080.00"), "EUR"), Money(Decimal("12555.20"), "EUR")
    return PrintedInvoice(
        kind="invoice",
        number="INV-2026-00042",
        language="en",
        currency="EUR",
        seller=Seller(
            legal_name="Bench GmbH",
            address=Address(street="Weg 1", postcode="10115", city="Berlin", country="DE"),
            tax_id="DE136695976",
            iban="DE89370400440532013000",
            email="billing@bench.example",
        ),
        buyer=Buyer(
            legal_name="Acme AG",
            address=Address(street="Gasse 2", postcode="50667", city="Köln", country="DE"),
            tax_id="DE811907980",
        ),
        lines=lines,
        taxes=(PrintedTax("VAT 19 %", Decimal(19), net, tax),),
        net=net,
        tax=tax,
        total=net + tax,
        paid=Money.zero("EUR"),
        issued_on=ON,
        due_on=date(2026, 4, 15),
        terms="14 days net",
    )


def page_files() -> tuple[set[str], set[str]]:
    """The static files of the frame of every page, and those that the heaviest page adds to them."""
    import counterfoil

    package = Path(counterfoil.__file__).parent
    head = (package / "surface/templates/surface/components/head.html").read_text()
    frame = set(re.findall(r"{% static '([^']+\.(?:js|css))' %}", head))
    waiting = [name for name in frame if name.endswith(".js")]
    while waiting:
        name = waiting.pop()
        path = package / "surface/static" / name
        if not path.exists():
            continue
        for linked in re.findall(r'from\s+"\./([^"]+)"|import\s+"\./([^"]+)"', path.read_text()):
            found = f"surface/{linked[0] or linked[1]}"
            if found not in frame:
                frame.add(found)
                waiting.append(found)
    added = [_linked(path, package) for path in package.glob("*/web/templates/*/*.html")]
    heaviest = max(added, key=lambda names: sum((package / n.split("/")[0] / "static" / n).stat().st_size
                                                for n in names), default=set())  # fmt: skip
    return frame, heaviest


def _linked(template: Path, package: Path) -> set[str]:
    """What a page's template and the parts that it includes link."""
    text = template.read_text()
    found = set(re.findall(r"{% static '([^']+\.(?:js|css))' %}", text))
    for name in re.findall(r'{% include "([^"]+head\.html)" %}', text):
        for part in package.glob(f"*/web/templates/{name}"), package.glob(f"*/templates/{name}"):
            for path in part:
                found |= _linked(path, package)
    return found
