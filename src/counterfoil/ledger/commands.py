"""Postings and legal entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.ledger.models import JournalEntry, LedgerAccount, LegalEntity, Posting
from counterfoil.ledger.rules.entries import EntryOrder, imbalance
from counterfoil.plumbing import clock
from counterfoil.plumbing.outbox import frame

CHART = (
    ("receivable", "1200", "Receivables", "asset"),
    ("bank", "1800", "Bank", "asset"),
    ("cash", "1600", "Cash", "asset"),
    ("clearing", "1460", "Cheques and cards on their way", "asset"),
    ("revenue", "4400", "Revenue", "income"),
    ("tax_payable", "3800", "Tax payable", "liability"),
    ("customer_credit", "3250", "Customer money not allocated", "liability"),
    ("opening", "9000", "Opening balances", "equity"),
)


@command("ledger.post", needs="invoicing.issue")
def post(*, actor: Actor, entries: Sequence[EntryOrder], at: datetime | None = None) -> list[UUID]:
    """Write entries with their postings: three statements, however many entries. Asserts that each sums to zero."""
    current = frame.get()
    assert current is not None
    for entry in entries:
        off = imbalance(entry)
        assert not off, f"{entry.source} does not sum to zero: {off}"
    roles = _ledger_accounts({entry.entity_id for entry in entries})
    made_at = at or clock.now()
    rows = [
        JournalEntry(
            id=new_id(),
            entity_id=entry.entity_id,
            posted_on=entry.posted_on,
            source=entry.source,
            document_id=entry.document_id,
            memo=entry.memo[:200],
            command_run=current.run,
            created_at=made_at,
        )
        for entry in entries
    ]
    JournalEntry.objects.bulk_create(rows, batch_size=1000)
    Posting.objects.bulk_create(
        (
            Posting(
                entry_id=row.pk,
                ledger_account_id=roles[entry.entity_id, posting.role],
                account_id=posting.account_id,
                amount=posting.amount,
                currency=posting.currency,
            )
            for row, entry in zip(rows, entries, strict=True)
            for posting in entry.postings
            if posting.amount
        ),
        batch_size=2000,
    )
    return [row.pk for row in rows]


def _ledger_accounts(entity_ids: set[UUID]) -> dict[tuple[UUID, str], UUID]:
    rows = LedgerAccount.objects.filter(entity__in=entity_ids).values_list("entity_id", "role", "id")
    return {(entity_id, role): ledger_account for entity_id, role, ledger_account in rows}


@command("ledger.add_entity", needs="settings.change", takes={"values": Takes("ledger.entity")})
def add_entity(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Add one of our own companies with its chart of accounts. The first one is the default."""
    columns = _checked(values)
    if not LegalEntity.objects.filter(is_default=True).exists():
        columns["is_default"] = True
    elif columns.get("is_default"):
        LegalEntity.objects.filter(is_default=True).update(is_default=False)
    entity = LegalEntity(id=new_id(), created_at=clock.now(), **columns)
    _save(entity, is_new=True)
    LedgerAccount.objects.bulk_create(
        LedgerAccount(entity=entity, role=role, code=code, name=name, kind=kind) for role, code, name, kind in CHART
    )
    return entity.pk


@command("ledger.change_entity", needs="settings.change", takes={"values": Takes("ledger.entity", partial=True)})
def change_entity(*, actor: Actor, entity_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change a company. Issued documents keep the seller that was frozen on them."""
    entity = LegalEntity.objects.select_for_update().filter(id=entity_id).first()
    if entity is None:
        raise NotFound()
    if version is not None and entity.version != version:
        raise Stale()
    columns = _checked(values)
    if columns.get("is_default"):
        LegalEntity.objects.filter(is_default=True).exclude(id=entity_id).update(is_default=False)
    elif "is_default" in columns and entity.is_default:
        raise Refusal("one_default", "Make another company the default one instead.", "is_default")
    for name, value in columns.items():
        setattr(entity, name, value)
    entity.version += 1
    _save(entity, is_new=False)


@command("ledger.install_defaults", needs="settings.change")
def install_defaults(*, actor: Actor) -> None:
    """Give a new installation a company to start with, for its owner to name. Does nothing where there is one."""
    if LegalEntity.objects.exists():
        return
    add_entity(actor=actor, values={"name": "Our company", "legal_name": "Our company"})


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    columns = dict(values)
    iban = columns.get("iban")
    if iban:
        try:
            columns["iban"] = str(IBAN(iban))
        except SchwiftyException:
            raise Refusal("not_an_iban", "This is not a valid IBAN; its check digits do not fit.", "iban") from None
    return columns


def _save(entity: LegalEntity, *, is_new: bool) -> None:
    try:
        entity.save(force_insert=is_new)
    except IntegrityError as error:
        if "name" in str(error):
            raise Conflict("taken", "Another company has this name already.", "name") from None
        raise
