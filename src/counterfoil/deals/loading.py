"""Deals from files: checked and loaded in sets, and taken back.

A won deal of a file was won before Counterfoil knew it: it is recorded as won and hands nothing over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Field, ForeignKey, ProtectedError

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.access.loading import add_people
from counterfoil.accounts.models import Account
from counterfoil.catalog.models import Product
from counterfoil.core.errors import Problem
from counterfoil.core.ids import new_id
from counterfoil.core.money import rounded
from counterfoil.core.text import NewText
from counterfoil.deals.events import DealAdded, DealChanged
from counterfoil.deals.models import Deal, DealLine, Stage
from counterfoil.plumbing.importers import Kept, Loaded, LoadRow, Verdict
from counterfoil.plumbing.outbox import emit

KEY = "deals.deal"


@dataclass(frozen=True)
class _Known:
    """What the rows refer to, read once for all of them."""

    deals: Mapping[str, Deal]
    stages: Mapping[UUID, Stage]
    products: Mapping[UUID, Product]
    accounts: Mapping[UUID, str]
    owners: Mapping[str, UUID]
    currency: str

    def owner(self, row: LoadRow) -> UUID | None:
        owner = row.values.get("owner")
        return self.owners.get(owner.text) if isinstance(owner, NewText) else owner


def _known(rows: Sequence[LoadRow], options: Mapping[str, Any], owners: Mapping[str, UUID]) -> _Known:
    external = [str(row.values["external_id"]) for row in rows if row.values.get("external_id")]
    accounts = {row.values["account"] for row in rows if row.values.get("account")}
    products = {row.values["product"] for row in rows if row.values.get("product")}
    return _Known(
        deals={deal.external_id: deal for deal in Deal.objects.filter(external_id__in=external)},
        stages={stage.pk: stage for stage in Stage.objects.select_related("pipeline")},
        products=Product.objects.in_bulk(products),
        accounts=dict(Account.objects.filter(id__in=accounts).values_list("id", "legal_name")),
        owners=owners,
        currency=str(options.get("currency") or ""),
    )


def check_deals(rows: Sequence[LoadRow], options: Mapping[str, Any]) -> list[Verdict]:
    """New, update, same, or an error: a won deal needs an account, a closed one its day, a row its own id once."""
    known = _known(rows, options, {})
    seen: dict[str, int] = {}
    verdicts: list[Verdict] = []
    for row in rows:
        external = str(row.values.get("external_id") or "")
        problem = _problem(row, known, seen)
        if external:
            seen.setdefault(external, row.number)
        deal = known.deals.get(external)
        if problem is not None:
            verdicts.append(Verdict("error", problems=(problem,)))
        elif deal is None:
            verdicts.append(Verdict("new"))
        elif not deal.is_imported:
            problem = Problem("external_id", "not_imported", "This deal was entered here; a file does not change it.")
            verdicts.append(Verdict("duplicate", deal.pk, deal.name, (problem,)))
        else:
            verdicts.append(Verdict("update" if _changes(deal, row, known) else "same", deal.pk, deal.name))
    return verdicts


def _problem(row: LoadRow, known: _Known, seen: Mapping[str, int]) -> Problem | None:
    external = str(row.values.get("external_id") or "")
    stage = known.stages[row.values["stage"]]
    amount = row.values.get("amount")
    if external and external in seen:
        return Problem("external_id", "twice_in_file", f"Row {seen[external]} of this file has the same id.")
    if stage.kind == "won" and not row.values.get("account"):
        return Problem("account", "missing", "A won deal needs an account.")
    if amount is not None and amount < 0:
        return Problem("amount", "too_small", "An amount cannot be negative.")
    if not row.values.get("name") and not row.values.get("product") and not row.values.get("account"):
        return Problem("name", "missing", "A deal needs a name, a product or an account.")
    return None


def _status(row: LoadRow, known: _Known) -> str:
    return known.stages[row.values["stage"]].kind


def _columns(row: LoadRow, known: _Known, on: date) -> dict[str, Any]:
    """The deal's own columns as the row has them."""
    stage = known.stages[row.values["stage"]]
    product = _product(row, known)
    account = row.values.get("account")
    parts = [product.name if product else "", known.accounts.get(account, "") if account else ""]
    closed = stage.kind != "open"
    engaged = row.values.get("engaged_on")
    closed_on = row.values.get("closed_on") or engaged or on
    return {
        "name": str(row.values.get("name") or " · ".join(part for part in parts if part))[:200],
        "account_id": account,
        "pipeline_id": stage.pipeline_id,
        "stage_id": stage.pk,
        "status": stage.kind,
        "owner_id": known.owner(row),
        "currency": known.currency,
        "amount": _amount(row, product, known),
        "engaged_on": engaged,
        "closed_on": closed_on if closed else None,
        "expected_close_on": row.values.get("expected_close_on"),
        "stage_since": closed_on if closed else (engaged or on),
        "lost_reason": str(row.values.get("lost_reason") or "") if stage.kind == "lost" else "",
    }


def _product(row: LoadRow, known: _Known) -> Product | None:
    product_id = row.values.get("product")
    return known.products.get(product_id) if product_id else None


def _amount(row: LoadRow, product: Product | None, known: _Known) -> Decimal:
    """What the file says; for a deal that is not won and has no amount, the product's list price."""
    amount = row.values.get("amount")
    if amount is None or (not amount and _status(row, known) != "won"):
        amount = product.unit_price if product else Decimal(0)
    return rounded(Decimal(amount), known.currency).amount


def _changes(deal: Deal, row: LoadRow, known: _Known) -> dict[str, Any]:
    columns = _columns(row, known, deal.stage_since or date.min)
    if isinstance(row.values.get("owner"), NewText):
        columns.pop("owner_id")
    return {name: value for name, value in columns.items() if getattr(deal, name) != value}


@command("deals.load_deals", needs="importing.run")
def load_deals(
    *, actor: Actor, rows: Sequence[LoadRow], options: Mapping[str, Any], on: date, at: datetime
) -> list[Loaded]:
    """Add the new deals of a file with one line each, and change the imported ones. Wins nothing, drafts nothing."""
    names = sorted({row.values["owner"].text for row in rows if isinstance(row.values.get("owner"), NewText)})
    known = _known(rows, options, add_people(actor=actor, names=names) if names else {})
    fresh: list[Deal] = []
    lines: list[DealLine] = []
    changed: list[Deal] = []
    loaded: list[Loaded] = []
    for row in rows:
        external = str(row.values.get("external_id") or "")
        deal = known.deals.get(external)
        if deal is None:
            deal = Deal(id=new_id(), created_at=at, external_id=external, is_imported=True, **_columns(row, known, on))
            fresh.append(deal)
            lines.append(_line(deal, row, known, at))
            emit(DealAdded(deal_id=deal.pk, account_id=deal.account_id, title=deal.name, amount=deal.amount,
                           currency=deal.currency))  # fmt: skip
            loaded.append(Loaded(row.number, "new", KEY, deal.pk, deal.version))
            continue
        changes = _changes(deal, row, known)
        before = {name: _plain(getattr(deal, name)) for name in changes}
        for name, value in changes.items():
            setattr(deal, name, value)
        deal.version += 1
        changed.append(deal)
        emit(DealChanged(deal_id=deal.pk, account_id=deal.account_id, title=deal.name, fields=tuple(sorted(changes))))
        loaded.append(Loaded(row.number, "updated", KEY, deal.pk, deal.version, before))
    Deal.objects.bulk_create(fresh, batch_size=1000)
    DealLine.objects.bulk_create(lines, batch_size=1000)
    Deal.objects.bulk_update(changed, _UPDATED, batch_size=500)
    return loaded


_UPDATED = [
    "name", "account", "pipeline", "stage", "status", "owner", "currency", "amount", "engaged_on", "closed_on",
    "expected_close_on", "stage_since", "lost_reason", "version",
]  # fmt: skip


def _line(deal: Deal, row: LoadRow, known: _Known, at: datetime) -> DealLine:
    product = _product(row, known)
    quantity = Decimal(row.values.get("quantity") or 1)
    return DealLine(
        id=new_id(),
        created_at=at,
        deal=deal,
        position=1,
        product=product,
        description=(product.name if product else deal.name)[:300],
        quantity=quantity,
        unit=product.unit if product else "",
        unit_price=(Decimal(deal.amount) / quantity).quantize(Decimal("0.000001")),
        tax_class=product.tax_class if product else "standard",
        interval=product.interval if product else "one_off",
    )


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int) else str(value)


@command("deals.unload_deals", needs="importing.run")
def unload_deals(*, actor: Actor, loaded: Sequence[Loaded], on: date, at: datetime, reason: str) -> list[Kept]:
    """Remove deals that a file added and give changed ones their old values, unless they were changed or won since."""
    deals = Deal.objects.in_bulk([one.record_id for one in loaded])
    kept = [
        Kept(KEY, one.record_id, "It was changed after the import.")
        for one in loaded
        if one.record_id in deals and deals[one.record_id].version != one.version
    ]
    left_alone = {one.record_id for one in kept}
    to_remove = [one.record_id for one in loaded if one.action == "new" and one.record_id not in left_alone]
    kept += _remove(to_remove)
    for one in loaded:
        deal = deals.get(one.record_id)
        if one.action != "updated" or deal is None or one.record_id in left_alone:
            continue
        for name, value in one.before.items():
            setattr(deal, name, _restored(name, value))
        deal.version += 1
        deal.save()
    return kept


def _restored(name: str, value: Any) -> Any:
    """An old value as the column's own type; it was kept as JSON."""
    field = Deal._meta.get_field(name.removesuffix("_id"))
    assert isinstance(field, Field)
    return field.target_field.to_python(value) if isinstance(field, ForeignKey) else field.to_python(value)


def _remove(deal_ids: Iterable[UUID]) -> list[Kept]:
    ids = list(deal_ids)
    try:
        with transaction.atomic():
            Deal.objects.filter(id__in=ids).delete()
        return []
    except ProtectedError as error:
        blocked = {item.deal_id for item in error.protected_objects if hasattr(item, "deal_id")}
    if not blocked:
        return [Kept(KEY, deal_id, "Another record refers to it.") for deal_id in ids]
    Deal.objects.filter(id__in=set(ids) - blocked).delete()
    return [Kept(KEY, deal_id, "It was handed over to billing.") for deal_id in blocked]
