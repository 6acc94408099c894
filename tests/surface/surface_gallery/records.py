"""An invented kind of record with a field of every kind, and rows of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType

from counterfoil.core.money import Money
from counterfoil.plumbing.record_types import Field, Group, Kind, RecordType

KEY = "gallery.slip"


def described() -> RecordType:
    lines = (
        Field("product", "Product", Kind.LINK, to=KEY, required=True),
        Field("note", "Description"),
        Field("quantity", "Quantity", Kind.DECIMAL, required=True, minimum=Decimal(0)),
        Field("unit_price", "Unit price", Kind.DECIMAL, group=Group.PRICING),
        Field("tax", "Tax", Kind.CHOICE, choices=(("standard", "19 %"), ("reduced", "7 %"), ("exempt", "Exempt"))),
    )
    fields = (
        Field("title", "Title", required=True, max_length=80),
        Field("status", "Status", Kind.CHOICE, choices=(("draft", "Draft"), ("sent", "Sent"), ("paid", "Paid"))),
        Field("stage", "Tier", Kind.CHOICE, choices=(("gold", "Gold"), ("silver", "Silver"))),
        Field("owner", "Owner", Kind.LINK, to=KEY),
        Field("email", "E-mail for invoices", Kind.EMAIL, help="Reminders go here too."),
        Field("total", "Total", Kind.AMOUNT),
        Field("currency", "Currency", Kind.CURRENCY),
        Field("discount", "Discount", Kind.DECIMAL, group=Group.TERMS),
        Field("count", "Copies", Kind.INTEGER, minimum=Decimal(0)),
        Field("due_on", "Due", Kind.DAY),
        Field("sent_at", "Sent at", Kind.INSTANT),
        Field("country", "Country", Kind.COUNTRY),
        Field("language", "Language", Kind.LANGUAGE),
        Field("by_post", "Send by post as well", Kind.YES_NO),
        Field("iban", "IBAN", group=Group.BANK),
        Field("notes", "Notes", Kind.PARAGRAPH),
        Field("lines", "Lines", Kind.ROWS, rows=lines),
        Field("number", "Number", computed=True),
    )
    return RecordType(
        key=KEY,
        model=ContentType,
        label="Slip",
        plural="Slips",
        fields=fields,
        title=lambda one: one.title,
        see="accounts.see",
    )


class Hidden:
    """Prints as the projection prints a closed value."""

    def __str__(self) -> str:
        return "•••"

    def __bool__(self) -> bool:
        return False


class Row(Mapping[str, Any]):
    """A row as a room's query gives it."""

    def __init__(self, **values: Any) -> None:
        self.values_by_name = values
        self.id: UUID = values.get("id", UUID(int=7))
        self.title: str = values.get("title", "")
        self.key = KEY
        self.version = 3
        self.url = f"/slips/{self.id}"

    def __getitem__(self, name: str) -> Any:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)


NAMES = (
    "Nordwind Logistik GmbH", "Zürcher Präzision AG", "Blue Harbor Freight, LLC", "Société Générale d’Équipements",
    "日本電子株式会社", "شركة الخليج للتجارة", "O’Brien & Sons Ltd.",
    "Kaltenbrunn-Hinterstoißer Maschinenbaugesellschaft mbH & Co. KG",
    "Aarhus Vindkraft ApS", "=SUM(A1:A9) Trading", "Kwik-E-Mart", "Lumen Optik",
)  # fmt: skip
STATES = (
    "draft",
    "sent",
    "paid",
    "overdue",
    "part_paid",
    "paid",
    "review",
    "void",
    "failed",
    "paid",
    "sent",
    "returned",
)


def rows() -> list[Row]:
    found = []
    for place, (name, status) in enumerate(zip(NAMES, STATES, strict=True)):
        currency = "JPY" if place == 4 else "EUR"
        found.append(
            Row(
                id=UUID(int=place + 1),
                title=name,
                status=status,
                stage="gold",
                owner=UUID(int=1),
                owner_title="Anna Weiß",
                total=Money(Decimal((place - 2) * 1234 + (0 if place == 4 else Decimal("0.50"))), currency),
                due_on=date(2026, 4, 1 + place),
                sent_at=datetime(2026, 4, 1, 9, 30, tzinfo=UTC),
                discount=Hidden(),
                country="DE",
                number=f"2026-{place + 41:05d}",
            )
        )
    return found
