"""The demo company: what a new visitor sees, made by the same commands that a user's clicks run.

Everything is dated back from today, so that there is something to review, something paid, something overdue and
something that failed. Loading twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from counterfoil.access import commands as access
from counterfoil.access.actors import Actor
from counterfoil.access.models import User
from counterfoil.accounts import commands as accounts
from counterfoil.accounts.queries import terms_by_key
from counterfoil.catalog import commands as catalog
from counterfoil.deals import commands as deals
from counterfoil.deals.models import Stage
from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.ledger import commands as ledger
from counterfoil.payments import commands as payments
from counterfoil.plumbing import clock
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.retainers import commands as retainers
from counterfoil.subscriptions import commands as subscriptions

PASSWORD = "counterfoil-demo"  # noqa: S105 - printed at every start of a demo installation


@dataclass(frozen=True)
class Person:
    """A member of staff of the demo company."""

    key: str
    name: str
    email: str
    roles: tuple[str, ...]


STAFF = (
    Person("admin", "Ines Adler", "admin@fernhill.example", ("admin",)),
    Person("sales", "Tomás Rey", "sales@fernhill.example", ("sales",)),
    Person("billing", "Greta Lindqvist", "billing@fernhill.example", ("billing",)),
    Person("accountant", "Paul Okafor", "accountant@fernhill.example", ("accountant",)),
)

ENTITIES: tuple[dict[str, Any], ...] = (
    {
        "name": "Fernhill Berlin",
        "legal_name": "Fernhill Studio GmbH",
        "street": "Lausitzer Straße 14",
        "postcode": "10999",
        "city": "Berlin",
        "country": "DE",
        "tax_id": "DE136695976",
        "registration_number": "HRB 204918 B",
        "currency": "EUR",
        "timezone": "Europe/Berlin",
        "language": "en",
        "email": "billing@fernhill.example",
        "bank_name": "GLS Bank",
        "iban": "DE89370400440532013000",
        "bic": "GENODEM1GLS",
        "tax_rounding": "per_rate",
        "layout": "classic",
        "footer": "Fernhill Studio GmbH · Managing director Ines Adler · Amtsgericht Charlottenburg HRB 204918 B",
        "is_default": True,
    },
    {
        "name": "Fernhill London",
        "legal_name": "Fernhill Studio Ltd",
        "street": "41 Luke Street",
        "postcode": "EC2A 4DP",
        "city": "London",
        "country": "GB",
        "tax_id": "GB980780684",
        "registration_number": "11223344",
        "currency": "GBP",
        "timezone": "Europe/London",
        "language": "en",
        "email": "billing@fernhill.example",
        "bank_name": "Triodos Bank",
        "iban": "GB29NWBK60161331926819",
        "bic": "NWBKGB2L",
        "tax_rounding": "per_line",
        "layout": "compact",
        "accent_colour": "#27476e",
        "footer": "Registered in England and Wales, no. 11223344",
    },
)

PRODUCTS: tuple[dict[str, Any], ...] = (
    {"code": "DISC", "name": "Discovery workshop", "family": "Consulting", "unit": "day", "unit_price": "1450.00"},
    {"code": "DSGN", "name": "Interface design", "family": "Design", "unit": "day", "unit_price": "1180.00"},
    {"code": "BLD", "name": "Engineering", "family": "Build", "unit": "day", "unit_price": "1260.00"},
    {"code": "AUD", "name": "Accessibility audit", "family": "Consulting", "unit": "", "unit_price": "5200.00"},
    {"code": "MIG", "name": "Data migration", "family": "Build", "unit": "", "unit_price": "7800.00"},
    {"code": "TRN", "name": "Team training", "family": "Consulting", "unit": "day", "unit_price": "1650.00"},
    {
        "code": "SUP",
        "name": "Support, business hours",
        "family": "Care",
        "unit": "",
        "unit_price": "890.00",
        "interval": "month",
    },
    {
        "code": "HST",
        "name": "Managed hosting",
        "family": "Care",
        "unit": "",
        "unit_price": "240.00",
        "interval": "month",
    },
    {"code": "SEAT", "name": "Portal seat", "family": "Care", "unit": "seat", "unit_price": "12.00",
     "interval": "month"},
    {"code": "CALL", "name": "Map calls", "family": "Care", "unit": "call", "unit_price": "0.002"},
)  # fmt: skip

RECURRING: tuple[dict[str, Any], ...] = (
    {"product": "SUP", "key": "support", "model": "flat", "amount": "890.00"},
    {"product": "HST", "key": "hosting", "model": "flat", "amount": "240.00"},
    {"product": "HST", "key": "hosting", "model": "flat", "amount": "216.00", "price_list": "gold"},
    {
        "product": "HST",
        "key": "traffic",
        "model": "graduated",
        "tiers": [{"up_to": "500", "amount": "0"}, {"up_to": "5000", "amount": "0.08"}, {"amount": "0.05"}],
        "billed": "in_arrears",
        "is_metered": True,
        "meter": "gigabytes",
    },
    {"product": "SEAT", "key": "portal-seat", "model": "per_unit", "amount": "12.00"},
    {
        "product": "CALL", "key": "map-calls", "model": "per_unit", "amount": "0.002",
        "billed": "in_arrears", "is_metered": True, "meter": "calls",
    },
)  # fmt: skip
"""What subscriptions are billed by, every month: traffic by what was used, hosting for less with the tier gold."""


PRICES = {product["code"]: product["unit_price"] for product in PRODUCTS}


@dataclass(frozen=True)
class Agreed:
    """One demo subscription: items are (price, quantity); ``ago`` the days since its start."""

    account: str
    name: str
    items: tuple[tuple[str, str], ...]
    ago: int
    committed_days: int = 0
    more_seats: str = ""


MORE_SEATS_AGO = 20

AGREED = (
    Agreed("foxglove", "Shop hosting and support", (("hosting", "1"), ("support", "1")), 75, 320),
    Agreed("nordwind", "Customer portal seats", (("portal-seat", "25"), ("hosting", "2")), 48, 60, "40"),
    Agreed("orchard", "Booking maps", (("hosting", "1"), ("map-calls", "0")), 40),
)


@dataclass(frozen=True)
class Customer:
    """One demo account with its address, tax id and people (role, name, e-mail)."""

    key: str
    legal_name: str
    street: str
    postcode: str
    city: str
    country: str
    people: tuple[tuple[str, str, str], ...]
    tax_id: str = ""
    parent: str = ""
    more: Mapping[str, str] | None = None


WORKED = (
    (92, "6.5", "Release of the tariff calculator"),
    (71, "14", "Search of the customer portal"),
    (44, "9.25", "Accessibility of the forms"),
    (38, "11", "Move to the new mail service"),
    (12, "7.75", "Meter readings by photo"),
    (3, "2.5", "Call on the autumn release"),
    (1, "4", "Repair of the export"),
)
"""Days ago, hours, what for: of the demo company's retainer."""

CUSTOMERS = (
    Customer(
        "nordwind",
        "Nordwind Energie AG",
        "Am Sandtorkai 50",
        "20457",
        "Hamburg",
        "DE",
        (
            ("billing", "Jule Petersen", "rechnungen@nordwind.example"),
            ("buyer", "Arne Holt", "a.holt@nordwind.example"),
            ("approver", "Silke Brandt", "s.brandt@nordwind.example"),
        ),
        "DE811907980",
        more={"industry": "energy", "language": "de", "terms": "net-30", "website": "nordwind.example"},
    ),
    Customer(
        "nordwind_solar",
        "Nordwind Solar GmbH",
        "Weidendamm 8",
        "30167",
        "Hannover",
        "DE",
        (("buyer", "Mehmet Aydin", "m.aydin@nordwind.example"),),
        parent="nordwind",
    ),
    Customer(
        "nordwind_netz",
        "Nordwind Netzservice GmbH",
        "Hafenstraße 3",
        "26789",
        "Leer",
        "DE",
        (("technical", "Wiebke Janssen", "w.janssen@nordwind.example"),),
        parent="nordwind",
    ),
    Customer(
        "halden",
        "Halden & Frères SA",
        "18 rue de la Paix",
        "75002",
        "Paris",
        "FR",
        (("billing", "Camille Roux", "compta@halden.example"), ("signer", "Étienne Halden", "etienne@halden.example")),
        "FR40303265045",
        more={"industry": "retail", "language": "fr", "tax_profile": "reverse_charge"},
    ),
    Customer(
        "brightwater",
        "Brightwater Housing Association",
        "2 Canal Wharf",
        "LS11 5PS",
        "Leeds",
        "GB",
        (
            ("billing", "Moira Fielding", "accounts@brightwater.example"),
            ("buyer", "Dev Patel", "dev@brightwater.example"),
        ),
        "GB107328000",
        more={"industry": "housing", "currency": "GBP", "po_policy": "required"},
    ),
    Customer(
        "kestrel",
        "Kestrel Robotics B.V.",
        "High Tech Campus 5",
        "5656 AE",
        "Eindhoven",
        "NL",
        (
            ("billing", "Anouk de Vries", "finance@kestrel.example"),
            ("technical", "Bram Kuiper", "bram@kestrel.example"),
        ),
        "NL004495445B01",
        more={"industry": "technology", "tax_profile": "reverse_charge"},
    ),
    Customer(
        "orchard",
        "Orchard Lane Clinics GmbH",
        "Königsallee 61",
        "40215",
        "Düsseldorf",
        "DE",
        (("billing", "Renate Vogel", "buchhaltung@orchardlane.example"),),
        "DE129273398",
        more={"industry": "healthcare", "language": "de"},
    ),
    Customer(
        "lumen",
        "Lumen Learning gGmbH",
        "Karl-Heine-Straße 99",
        "04229",
        "Leipzig",
        "DE",
        (("billing", "Fatima Sahin", "verwaltung@lumen.example"),),
        "",
        more={
            "industry": "education",
            "language": "de",
            "tax_profile": "exempt",
            "tax_exemption_reason": "§ 4 Nr. 21 UStG, certificate of 2025",
        },
    ),
    Customer(
        "tanaka",
        "田中精機株式会社",
        "中央区銀座 4-1-1",
        "104-0061",
        "東京",
        "JP",
        (("billing", "Yuki Tanaka", "keiri@tanaka-seiki.example"),),
        "",
        more={"trading_name": "Tanaka Precision", "industry": "manufacturing", "tax_profile": "outside_scope"},
    ),
    Customer(
        "foxglove",
        "Foxglove Coffee Roasters GmbH",
        "Oranienstraße 183",
        "10999",
        "Berlin",
        "DE",
        (("billing", "Mara Engel", "hello@foxglove.example"),),
        "DE143454214",
        more={"industry": "food"},
    ),
    Customer(
        "silverbirch",
        "Silverbirch Legal LLP",
        "",
        "",
        "",
        "GB",
        (),
        "",
        more={"industry": "legal", "status": "prospect"},
    ),
)


@dataclass(frozen=True)
class Sale:
    """One demo deal:

    lines are (product, quantity, discount), ``ago`` the days since it was engaged, ``course`` what became of it.
    """

    account: str
    name: str
    lines: tuple[tuple[str, str, str], ...]
    ago: int
    course: str
    stage: str = "Won"
    po_number: str = ""


SALES = (
    Sale("nordwind", "Customer portal, phase 1", (("DISC", "3", "0"), ("DSGN", "12", "5")), 96, "paid"),
    Sale("nordwind_solar", "Installer app", (("DSGN", "8", "0"), ("BLD", "14", "0")), 80, "part"),
    Sale("halden", "Boutique relaunch", (("AUD", "1", "0"), ("DSGN", "6", "0")), 74, "overdue"),
    Sale(
        "brightwater",
        "Tenant self-service",
        (("DISC", "2", "0"), ("BLD", "10", "0")),
        68,
        "bounced",
        po_number="PO-77120",
    ),
    Sale("kestrel", "Fleet dashboard", (("BLD", "18", "10"),), 52, "sent"),
    Sale("foxglove", "Order page", (("DSGN", "3", "0"), ("BLD", "4", "0")), 45, "paid"),
    Sale("orchard", "Booking audit", (("AUD", "1", "0"),), 30, "sent"),
    Sale("nordwind", "Customer portal, phase 2", (("BLD", "20", "5"), ("SUP", "1", "0")), 12, "draft"),
    Sale("lumen", "Course catalogue", (("DISC", "2", "0"), ("TRN", "1", "0")), 10, "draft"),
    Sale("foxglove", "Wholesale shop", (("BLD", "6", "0"),), 6, "draft"),
    Sale("tanaka", "Parts configurator", (("DISC", "4", "0"), ("DSGN", "9", "0")), 20, "open", "Negotiation"),
    Sale("kestrel", "Telemetry migration", (("MIG", "1", "0"), ("HST", "2", "0")), 16, "open", "Proposal"),
    Sale("orchard", "Patient portal", (("DISC", "3", "0"), ("BLD", "25", "0")), 9, "open", "Proposal"),
    Sale("nordwind_netz", "Field service forms", (("BLD", "7", "0"),), 14, "open", "Negotiation"),
    Sale("halden", "Loyalty programme", (("DISC", "2", "0"),), 5, "open", "Engaging"),
    Sale("brightwater", "Repairs triage", (("DSGN", "5", "0"),), 8, "open", "Proposal"),
    Sale("silverbirch", "Matter intake", (("DISC", "2", "0"), ("DSGN", "4", "0")), 3, "open", "Prospecting"),
    Sale("tanaka", "Trade fair kiosk", (("BLD", "5", "0"),), 60, "lost"),
)


def is_loaded() -> bool:
    """Whether the demo company's staff are there already."""
    return User.objects.filter(email=STAFF[0].email).exists()


def load_demo(on: date) -> bool:
    """Load the demo company as of ``on``. Returns whether anything was loaded."""
    if is_loaded():
        return False
    loader = _Loader(on)
    loader.company()
    loader.customers()
    for step in loader.story():
        step()
    loader.work()
    return True


class _Loader:
    """Remembers the ids of what it has made, by the keys of the tables above."""

    def __init__(self, on: date) -> None:
        self.on = on
        self.actor = Actor.system("Counterfoil demo", "cli")
        self.users: dict[str, UUID] = {}
        self.products: dict[str, UUID] = {}
        self.accounts: dict[str, UUID] = {}
        self.entities: dict[str, UUID] = {}
        self.subscriptions: dict[str, UUID] = {}

    def story(self) -> list[Callable[[], None]]:
        """What happened, in the order in which documents were issued: a later number bears no earlier day."""
        steps: list[tuple[int, Callable[[], None]]] = [(one.ago - 9, partial(self.sell, one)) for one in SALES]
        steps += [(one.ago, partial(self.subscribe, one)) for one in AGREED]
        steps += [(MORE_SEATS_AGO, partial(self.more_seats, one)) for one in AGREED if one.more_seats]
        for days_ago in range(max(one.ago for one in AGREED), -1, -1):
            if self.as_of(days_ago)[0].day == 2 or not days_ago:
                steps.append((days_ago, partial(self.bill_due, *self.as_of(days_ago))))
        steps.append((0, self.raise_prices))
        return [step for _, step in sorted(steps, key=lambda step: -step[0])]

    def at(self, day: date) -> datetime:
        return datetime.combine(day, time(9, 30), UTC)

    def as_of(self, days_ago: int) -> tuple[date, datetime]:
        day = self.on - timedelta(days=days_ago)
        return day, self.at(day)

    def company(self) -> None:
        day, _ = self.as_of(120)
        with clock.stopped_at(self.at(day)):
            for person in STAFF:
                self.users[person.key] = access.add_user(
                    actor=self.actor,
                    values={"email": person.email, "name": person.name, "roles": list(person.roles)},
                    password=PASSWORD,
                )
            accounts.install_defaults(actor=self.actor)
            for values in ENTITIES:
                self.entities[values["country"]] = ledger.add_entity(actor=self.actor, values=values)
            ledger.install_defaults(actor=self.actor)
            invoicing.install_defaults(actor=self.actor)
            invoicing.add_reference_field(
                actor=self.actor, values={"name": "Project", "kind": "text", "element": "BT-11"}
            )
            deals.install_defaults(actor=self.actor)
            for product in PRODUCTS:
                self.products[product["code"]] = catalog.add_product(
                    actor=self.actor, values={"currency": "EUR", **product}
                )
            gold = catalog.add_price_list(actor=self.actor, values={"name": "Gold", "tier": "gold"})
            for price in RECURRING:
                values = {"currency": "EUR", "interval": "month", **price, "product": self.products[price["product"]]}
                if "price_list" in price:
                    values["price_list"] = gold
                catalog.add_price(actor=self.actor, values=values, on=day)

    def customers(self) -> None:
        day, at = self.as_of(118)
        terms = terms_by_key()
        with clock.stopped_at(at):
            for customer in CUSTOMERS:
                more = dict(customer.more or {})
                if "terms" in more:
                    more["terms"] = str(terms[more["terms"]])
                values: dict[str, Any] = {
                    "legal_name": customer.legal_name,
                    "owner": str(self.users["sales"]),
                    "tax_profile": "standard",
                    "addresses": _addresses(customer),
                    "tax_identifiers": [{"country": customer.tax_id[:2], "value": customer.tax_id}]
                    if customer.tax_id
                    else [],
                    **more,
                }
                if customer.parent:
                    values["parent"] = str(self.accounts[customer.parent])
                account = accounts.add_account(actor=self.actor, values=values, on=day, accept_duplicates=True)
                self.accounts[customer.key] = account
                self._people(account, customer.people, day)
            parent = self.accounts["nordwind"]
            accounts.change_account(
                actor=self.actor,
                account_id=parent,
                values={"invoiced_account": str(parent), "payer": str(parent), "send_to": str(parent)},
                version=None,
            )

    def _people(self, account: UUID, people: Sequence[tuple[str, str, str]], day: date) -> None:
        for role, name, email in people:
            contact = accounts.add_contact(actor=self.actor, values={"name": name, "email": email}, on=day)
            accounts.give_role(
                actor=self.actor, account_id=account, contact_id=contact, role=role, mail_line="to", on=day
            )

    def sell(self, sale: Sale) -> None:
        day, at = self.as_of(sale.ago)
        with clock.stopped_at(at):
            deal = deals.add_deal(
                actor=self.actor,
                values={
                    "name": sale.name,
                    "account": str(self.accounts[sale.account]),
                    "owner": str(self.users["sales"]),
                    "currency": "GBP" if sale.account == "brightwater" else "EUR",
                    "entity": str(self.entities["GB" if sale.account == "brightwater" else "DE"]),
                    "po_number": sale.po_number,
                    "expected_close_on": (day + timedelta(days=21)).isoformat(),
                    "lines": [
                        {
                            "product": str(self.products[code]),
                            "quantity": quantity,
                            "discount_percent": discount,
                            "unit_price": PRICES[code],
                        }
                        for code, quantity, discount in sale.lines
                    ],
                },
                on=day,
            )
            if sale.course == "open":
                stage = Stage.objects.values_list("id", flat=True).get(name=sale.stage)
                deals.move_deal(actor=self.actor, deal_id=deal, stage_id=stage, on=day)
            elif sale.course == "lost":
                deals.lose_deal(actor=self.actor, deal_id=deal, reason="Chose a provider nearby", on=day)
        if sale.course not in ("open", "lost"):
            self._bill(sale, deal)

    def _bill(self, sale: Sale, deal: UUID) -> None:
        won, at = self.as_of(max(sale.ago - 8, 0))
        with clock.stopped_at(at):
            draft = deals.win_deal(actor=self.actor, deal_id=deal, on=won, at=at).invoice_id
        if sale.course == "draft" or draft is None:
            return
        issued, at = self.as_of(sale.ago - 9)
        with clock.stopped_at(at):
            invoicing.issue_invoices(actor=self.actor, invoice_ids=[draft], on=issued, at=at, send=True)
            run_waiting_jobs()
        if sale.course in ("paid", "part", "bounced"):
            self._pay(sale, draft)

    def _pay(self, sale: Sale, invoice: UUID) -> None:
        day, at = self.as_of(sale.ago - 30)
        with clock.stopped_at(at):
            issued = Invoice.objects.get(id=invoice)
            amount = issued.total.quantize(Decimal("0.01"))
            if sale.course == "part":
                amount = (amount / 2).quantize(Decimal("0.01"))
            payment = payments.record_payment(
                actor=self.actor,
                values={
                    "payer": str(issued.payer_id),
                    "entity": str(issued.entity_id),
                    "method": "cheque" if sale.course == "bounced" else "transfer",
                    "amount": str(amount),
                    "currency": issued.currency,
                    "received_on": day.isoformat(),
                    "reference": sale.name[:40],
                },
                allocations=[(invoice, amount)],
                on=day,
                at=at,
            )
        if sale.course == "bounced":
            bounced, at = self.as_of(sale.ago - 34)
            with clock.stopped_at(at):
                payments.fail_payment(
                    actor=self.actor,
                    payment_id=payment,
                    kind="bounced",
                    reason="Refer to drawer",
                    on=bounced,
                    at=at,
                )

    def work(self) -> None:
        """A retainer of hours, and the time and expenses of the last weeks; the newest wait for approval."""
        day, at = self.as_of(100)
        account = str(self.accounts["nordwind"])
        with clock.stopped_at(at):
            retainer = retainers.add_retainer(
                actor=self.actor,
                values={
                    "account": account,
                    "title": "Care, 16 hours a month",
                    "unit": "hours",
                    "amount": "16",
                    "interval": "month",
                    "starts_on": day.replace(day=1).isoformat(),
                    "roll_over": "periods",
                    "rolled_periods": "1",
                    "overage_rate": "155.00",
                },
                on=day,
                at=at,
            )
        for ago, hours, description in WORKED:
            day, at = self.as_of(ago)
            values = {
                "account": account,
                "retainer": str(retainer),
                "day": day.isoformat(),
                "hours": hours,
                "description": description,
                "person": str(self.users["sales"]),
            }
            with clock.stopped_at(at):
                entry = retainers.enter_time(actor=self.actor, values=values, on=day, at=at)
                if ago > 7:
                    retainers.approve_entries(actor=self.actor, time_ids=[entry], at=at)
        day, at = self.as_of(9)
        values = {"account": account, "day": day.isoformat(), "amount": "84.20", "description": "Train to Hamburg"}
        with clock.stopped_at(at):
            expense = retainers.enter_expense(actor=self.actor, values=values, on=day, at=at)
            retainers.approve_entries(actor=self.actor, expense_ids=[expense], at=at)

    def subscribe(self, agreed: Agreed) -> None:
        day, at = self.as_of(agreed.ago)
        values: dict[str, Any] = {
            "account": str(self.accounts[agreed.account]),
            "name": agreed.name,
            "items": [{"price": key, "quantity": quantity} for key, quantity in agreed.items],
            "start": day.isoformat(),
            "anchor_day": "1",
            "owner": str(self.users["sales"]),
            "entity": str(self.entities["DE"]),
        }
        if agreed.committed_days:
            values["committed_to"] = (self.on + timedelta(days=agreed.committed_days)).isoformat()
            values["notice_days"] = "30"
        with clock.stopped_at(at):
            subscription = subscriptions.start_subscription(actor=self.actor, values=values, on=day, at=at)
        self.subscriptions[agreed.name] = subscription
        if ("map-calls", "0") in agreed.items:
            self._use(subscription, agreed.ago)

    def more_seats(self, agreed: Agreed) -> None:
        day, at = self.as_of(MORE_SEATS_AGO)
        items = [{"price": key, "quantity": quantity} for key, quantity in agreed.items[1:]]
        items.append({"price": agreed.items[0][0], "quantity": agreed.more_seats})
        with clock.stopped_at(at):
            subscriptions.change_items(
                actor=self.actor,
                subscription_id=self.subscriptions[agreed.name],
                values={"items": items},
                when=day,
                on=day,
                at=at,
            )

    def _use(self, subscription: UUID, ago: int) -> None:
        for days_ago in range(ago - 1, 0, -3):
            day, at = self.as_of(days_ago)
            order = subscriptions.UsageOrder(subscription, "map-calls", Decimal(4_200 + 130 * days_ago), day)
            with clock.stopped_at(at):
                subscriptions.take_usage(actor=self.actor, orders=[order], on=day, at=at)

    def raise_prices(self) -> None:
        day, at = self.as_of(0)
        values = {
            "name": "Hosting, yearly adjustment", "price_key": "hosting", "percent": "4",
            "from_on": (day + timedelta(days=60)).isoformat(), "is_at_renewal": True, "notice_days": "30",
        }  # fmt: skip
        coupon = {"code": "SPRING", "name": "Spring offer", "percent": "15", "periods": "3", "most": "50"}
        with clock.stopped_at(at):
            subscriptions.add_coupon(actor=self.actor, values={**coupon, "is_active": True}, at=at)
            subscriptions.plan_increase(actor=self.actor, values=values, on=day, at=at)
            run_waiting_jobs()

    def bill_due(self, day: date, at: datetime) -> None:
        with clock.stopped_at(at):
            if subscriptions.start_run(actor=self.actor, at=at) is not None:
                run_waiting_jobs()


def _addresses(customer: Customer) -> list[dict[str, str]]:
    if not customer.street:
        return []
    return [
        {
            "kind": "invoice",
            "street": customer.street,
            "postcode": customer.postcode,
            "city": customer.city,
            "country": customer.country,
        }
    ]
