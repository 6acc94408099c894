"""Our own companies, and what the books say."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from django.db import connection

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.catalog.ports import names_currency
from counterfoil.core.errors import Refusal
from counterfoil.ledger.models import LegalEntity
from counterfoil.plumbing.bulk import read_where
from counterfoil.plumbing.scratch import read_once

KEY = "ledger.entity"


# For an actor ---------------------------------------------------------------------------------------------------------


def list_entities(actor: Actor) -> list[Row]:
    """All legal entities, the default one first."""
    return project(actor, KEY, LegalEntity.objects.order_by("-is_default", "name"))


def entities_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """The entities with an id above ``after``: a page by cursor."""
    found = LegalEntity.objects.order_by("id")
    return project(actor, KEY, (found.filter(id__gt=after) if after else found)[:take])


def get_entity(actor: Actor, entity_id: UUID) -> Row:
    """One legal entity; raises ``NotFound``."""
    return project_one(actor, KEY, LegalEntity.objects.filter(id=entity_id).first())


# For other rooms' commands --------------------------------------------------------------------------------------------


@read_once(lambda: "entities")
def entities() -> dict[UUID, LegalEntity]:
    """Every entity by its id; there are few."""
    return {entity.pk: entity for entity in read_where(LegalEntity, "TRUE")}


def default_of(known: Sequence[LegalEntity]) -> UUID:
    """Of these entities, the one that issues what names no other."""
    active = [entity for entity in known if entity.is_active]
    if not active:
        raise Refusal("no_entity", "There is no company yet that issues invoices. Add one in the settings.", "entity")
    return min(active, key=lambda entity: (not entity.is_default, entity.created_at, entity.pk)).pk


def default_entity_id() -> UUID:
    """The entity that issues what names no other."""
    return default_of(list(LegalEntity.objects.filter(is_active=True)))


@names_currency
def default_currency() -> str:
    """The currency of the company that issues what names no other; empty before there is one."""
    found = LegalEntity.objects.filter(is_active=True).order_by("-is_default", "created_at")
    return found.values_list("currency", flat=True).first() or ""


def default_zone() -> str:
    """The time zone of the default company, by whose day surfaces act that concern no other one."""
    found = LegalEntity.objects.filter(is_active=True).order_by("-is_default", "created_at")
    return found.values_list("timezone", flat=True).first() or "UTC"


def zone_of(entity_id: UUID) -> str:
    """The time zone of a company, whose day its documents bear."""
    return LegalEntity.objects.filter(id=entity_id).values_list("timezone", flat=True).first() or "UTC"


_POSTED = """
SELECT l.role, p.account_id, SUM(p.amount)
FROM ledger_posting p JOIN ledger_ledgeraccount l ON l.id = p.ledger_account_id
WHERE l.entity_id = %s GROUP BY l.role, p.account_id
"""


def posted_by_role(entity_id: UUID) -> dict[tuple[str, UUID | None], Decimal]:
    """What the books of a company say by role of the ledger account and by customer, whatever the currency."""
    with connection.cursor() as cursor:
        cursor.execute(_POSTED, [entity_id])
        return {(role, account_id): amount for role, account_id, amount in cursor.fetchall()}
