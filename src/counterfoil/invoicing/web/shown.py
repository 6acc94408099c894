"""What the pages show besides a document's own values: where each comes from, and where a finding is mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.urls import NoReverseMatch, reverse

from counterfoil.access.actors import Actor
from counterfoil.access.projection import CLOSED, Row
from counterfoil.core.money import Money
from counterfoil.invoicing.models import LineKind

_FROM = (
    ("account", "Customer", "account_title"),
    ("invoiced_account", "Invoiced", "invoiced_account_title"),
    ("payer", "Paid by", "payer_title"),
    ("send_to", "Sent to", "send_to_title"),
    ("recipients", "Mail goes to", "recipients_shown"),
    ("terms", "Terms", "terms_title"),
    ("tax_profile", "Tax profile", "tax_profile_shown"),
    ("po_number", "PO number", "po_number"),
    ("reference_values", "", "reference_values"),
    ("references", "References", "references"),
    ("currency", "Currency", "currency"),
    ("language", "Language", "language"),
    ("delivery_channel", "Goes by", "delivery_channel_shown"),
    ("entity", "Issued by", "entity_title"),
    ("lines", "Lines", "lines_shown"),
)
_PAGES = {"own": "accounts:account", "parent": "accounts:account", "deal": "deals:deal"}


@dataclass(frozen=True)
class FromWhere:
    """One value of a draft with where it comes from. ``kind`` is also the language kind of the value, if it has one."""

    id: str
    label: str
    value: Any
    source: str
    url: str
    is_edited: bool


@dataclass(frozen=True)
class Finding:
    """What one check found, with the way to mend it."""

    level: str
    message: str
    fix: str = ""
    url: str = ""

    @property
    def css(self) -> str:
        return {"ok": "ok", "warning": "warning"}.get(self.level, "missing")


@dataclass(frozen=True)
class ShownLine:
    """A line with the days that it bills, the last one in, and how its amount came about."""

    text: str
    kind: str
    first_day: date | None
    last_day: date | None
    share: str
    why: str
    net: Any


def lines(row: Row) -> list[ShownLine]:
    """The lines of a document. Amounts and reasons that the reader may not see stay closed."""
    return [
        ShownLine(
            text=line["description"],
            kind="" if line["kind"] == LineKind.ONE_OFF else str(LineKind(line["kind"]).label),
            first_day=line["service_from"],
            last_day=line["service_to"] - timedelta(days=1) if line["service_to"] else None,
            share=line.get("share", ""),
            why=line.get("why", ""),
            net=Money.exact(line["net"], row.total.currency) if "net" in line else CLOSED,
        )
        for line in row.lines or ()
    ]


def address(name: str, *args: Any) -> str:
    """The address of a page that another room may have, or empty."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def values_with_sources(row: Row) -> list[FromWhere]:
    """Every value that somebody or something decided. One that the reader may not see keeps its lock."""
    sources: Mapping[str, Mapping[str, Any]] = row.sources
    shown = _with_words(row)
    found = []
    for name, label, value_of in _FROM:
        value = row[name] if name in row.closed else shown.get(value_of, "")
        source = sources.get(name, {})
        if name == "reference_values":
            found += [_from(name, what, said, source) for what, said in row.named]
            continue
        if not value and name not in row.closed and source.get("kind") != "edited":
            continue
        found.append(_from(name, label, value, source))
    return found


def _from(name: str, label: str, value: Any, source: Mapping[str, Any]) -> FromWhere:
    url, is_edited = _source_url(source), source.get("kind") == "edited"
    return FromWhere(name, label, value, source.get("label", ""), url, is_edited)


def _with_words(row: Row) -> dict[str, Any]:
    labels = {
        name: dict(row_field_choices(row, name)).get(str(row[name]), row[name])
        for name in ("tax_profile", "delivery_channel")
    }
    people = [f"{person['name']} <{person['email']}>" for person in row.recipients]
    return {
        **{name: row[name] for _, _, name in _FROM if not name.endswith("_shown")},
        "recipients_shown": ", ".join(people),
        "tax_profile_shown": labels["tax_profile"],
        "delivery_channel_shown": labels["delivery_channel"],
        "lines_shown": f"{len(row.lines)} line{'s' if len(row.lines) != 1 else ''}" if row.lines else "",
    }


def row_field_choices(row: Row, name: str) -> list[tuple[str, str]]:
    """The choices of a field of the row's kind."""
    from counterfoil.plumbing.record_types import record_type

    return [(str(key), str(label)) for key, label in record_type(row.key).by_id[name].options()]


def _source_url(source: Mapping[str, Any]) -> str:
    page = _PAGES.get(source.get("kind", ""))
    return address(page, UUID(source["record"])) if page and source.get("record") else ""


def findings(row: Row, actor: Actor) -> list[Finding]:
    """The checks, what blocks first. Only a fix that the reader may make is linked."""
    ways: dict[str, tuple[str, str, bool]] = {
        "draft": ("Edit the draft", address("invoicing:edit", row.id), actor.may("invoicing.draft")),
        "account": ("Open the account", address("accounts:account", row.invoiced_account), True),
        "contact": ("Add a billing contact", address("accounts:account", row.send_to), actor.may("accounts.change")),
        "tax": ("Tax rates", address("invoicing:tax_rates"), actor.may("settings.change")),
        "entity": ("Our company", address("ledger:entity", row.entity), actor.may("settings.change")),
    }
    order = {"blocking": 0, "warning": 1, "ok": 2}
    found = []
    for check in sorted(row.checks, key=lambda check: order[check["level"]]):
        label, url, may = ways.get(check.get("fix", ""), ("", "", False))
        found.append(Finding(check["level"], check["message"], label if may and url else "", url if may else ""))
    return found
