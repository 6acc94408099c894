"""Postings and legal entities."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from counterfoil.access.actors import Actor
from counterfoil.access.door import Takes, command
from counterfoil.core.errors import Conflict, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.ledger import events
from counterfoil.ledger.models import JournalEntry, LedgerAccount, LegalEntity, Posting
from counterfoil.ledger.rules.entries import EntryOrder, imbalance
from counterfoil.plumbing import clock
from counterfoil.plumbing.bulk import insert_rows, new_row, one_trip, read_where
from counterfoil.plumbing.outbox import emit, frame

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


_USUAL = {"currency": "EUR", "timezone": "UTC", "language": "en", "tax_rounding": "per_rate", "layout": "classic"}


@command("ledger.post", needs="invoicing.issue")
def post(*, actor: Actor, entries: Sequence[EntryOrder], at: datetime | None = None) -> list[UUID]:
    """Write entries with their postings: two statements, however many entries. Asserts that each sums to zero.

    A posting of nothing is left out. Needs no right of its own: it is always the consequence of another command.
    """
    current = frame.get()
    assert current is not None
    for entry in entries:
        off = imbalance(entry)
        assert not off, f"{entry.source} does not sum to zero: {off}"
    roles = _ledger_accounts({(entry.entity_id, posting.role) for entry in entries for posting in entry.postings})
    made_at = at or clock.now()
    rows = [
        new_row(
            JournalEntry,
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
    postings = [
        new_row(
            Posting,
            entry_id=row.pk,
            ledger_account_id=roles[entry.entity_id, posting.role],
            account_id=posting.account_id,
            amount=posting.amount,
            currency=posting.currency,
        )
        for row, entry in zip(rows, entries, strict=True)
        for posting in entry.postings
        if posting.amount
    ]
    with one_trip():
        insert_rows(rows)
        insert_rows(postings)
    return [row.pk for row in rows]


# A company's ledger accounts are made with it and keep their ids, so this process need not ask twice. Ids of companies
# that were rolled back, as those of simulations are, never come again: what is known is forgotten when it is much.
_known_accounts: Mapping[tuple[UUID, str], UUID] = {}
_MANY = 10_000


def _ledger_accounts(wanted: set[tuple[UUID, str]]) -> Mapping[tuple[UUID, str], UUID]:
    """The ids of the ledger accounts by entity and role, among others."""
    global _known_accounts
    known = _known_accounts
    if not wanted <= known.keys():
        entity_ids = list({entity_id for entity_id, _ in wanted})
        rows = read_where(LedgerAccount, "entity_id = ANY(%s)", entity_ids, only=("entity_id", "role"))
        kept = known if len(known) < _MANY else {}
        _known_accounts = known = {**kept, **{(row.entity_id, row.role): row.pk for row in rows}}
    return known


@command("ledger.add_entity", needs="settings.change", takes={"values": Takes("ledger.entity")})
def add_entity(*, actor: Actor, values: Mapping[str, Any]) -> UUID:
    """Add one of our own companies with its chart of accounts. The first one is the default.

    Its series and tax rates follow when invoicing hears of it.
    """
    columns = _checked(values)
    if not read_where(LegalEntity, "is_default LIMIT 1"):
        columns["is_default"] = True
    elif columns.get("is_default"):
        LegalEntity.objects.filter(is_default=True).update(is_default=False)
    entity = LegalEntity(id=new_id(), created_at=clock.now(), **columns)
    _save(entity, is_new=True)
    insert_rows(
        new_row(LedgerAccount, entity_id=entity.pk, role=role, code=code, name=name, kind=kind)
        for role, code, name, kind in CHART
    )
    emit(events.EntityAdded(entity_id=entity.pk, title=entity.name))
    return entity.pk


@command("ledger.change_entity", needs="settings.change", takes={"values": Takes("ledger.entity", partial=True)})
def change_entity(*, actor: Actor, entity_id: UUID, values: Mapping[str, Any], version: int | None) -> None:
    """Change a company. Issued documents keep the seller that was frozen on them."""
    entity = LegalEntity.objects.select_for_update().filter(id=entity_id).first()
    if entity is None:
        raise NotFound()
    if version is not None and entity.version != version:
        raise Stale()
    columns = {name: value for name, value in _checked(values).items() if getattr(entity, name) != value}
    if not columns:
        return
    if columns.get("is_default"):
        LegalEntity.objects.filter(is_default=True).exclude(id=entity_id).update(is_default=False)
    for name, value in columns.items():
        setattr(entity, name, value)
    if not (entity.is_default and entity.is_active) and not _another_default(entity):
        raise Refusal("one_default", "Make another company the default one instead.", "is_default")
    entity.version += 1
    _save(entity, is_new=False)
    emit(events.EntityChanged(entity_id=entity.pk, title=entity.name, fields=tuple(sorted(columns))))


def _another_default(entity: LegalEntity) -> bool:
    return LegalEntity.objects.filter(is_default=True, is_active=True).exclude(id=entity.pk).exists()


@command("ledger.install_defaults", needs="settings.change")
def install_defaults(*, actor: Actor) -> None:
    """Give a new installation a company to start with, for its owner to name. Does nothing where there is one."""
    if LegalEntity.objects.exists():
        return
    add_entity(actor=actor, values={"name": "Our company", "legal_name": "Our company"})


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with IBAN and colour in their usual form; refused when they cannot be right."""
    columns = dict(values)
    if columns.get("iban") or columns.get("bic"):
        _check_bank(columns)
    colour = columns.get("accent_colour")
    if colour == "":
        del columns["accent_colour"]
    elif colour is not None and not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise Refusal("not_a_colour", "A colour is written as # and six digits, such as #1f5d46.", "accent_colour")
    for name, usual in _USUAL.items():
        if columns.get(name) == "":
            columns[name] = usual
    return columns


def _check_bank(columns: dict[str, Any]) -> None:
    from schwifty import BIC, IBAN  # loaded when a bank account is checked: its registers delay every start
    from schwifty.exceptions import SchwiftyException

    if columns.get("iban"):
        try:
            columns["iban"] = str(IBAN(columns["iban"]))
        except SchwiftyException:
            raise Refusal("not_an_iban", "This is not a valid IBAN; its check digits do not fit.", "iban") from None
    if columns.get("bic"):
        try:
            columns["bic"] = str(BIC(columns["bic"]))
        except SchwiftyException:
            raise Refusal("not_a_bic", "This is not a valid BIC.", "bic") from None


def _save(entity: LegalEntity, *, is_new: bool) -> None:
    try:
        if is_new:
            insert_rows([entity])
        else:
            entity.save()
    except IntegrityError as error:
        if "name" in str(error):
            raise Conflict("taken", "Another company has this name already.", "name") from None
        raise
