"""Our own companies, and what the books say of customers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from django.db.models import Sum

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.core.errors import Refusal
from counterfoil.ledger.models import LegalEntity, Posting

KEY = "ledger.entity"


def list_entities(actor: Actor) -> list[Row]:
    """All legal entities, the default one first."""
    return project(actor, KEY, LegalEntity.objects.order_by("-is_default", "name"))


def get_entity(actor: Actor, entity_id: UUID) -> Row:
    """One legal entity; raises ``NotFound``."""
    return project_one(actor, KEY, LegalEntity.objects.filter(id=entity_id).first())


def default_entity_id() -> UUID:
    """The entity that issues what names no other. For other rooms' commands."""
    found = (
        LegalEntity.objects.filter(is_active=True).order_by("-is_default", "created_at").values_list("id", flat=True)
    )
    first = found.first()
    if first is None:
        raise Refusal("no_entity", "There is no company yet that issues invoices. Add one in the settings.", "entity")
    return first


def default_zone() -> str:
    """The time zone of the default company, by whose day surfaces act that concern no other one."""
    found = LegalEntity.objects.filter(is_active=True).order_by("-is_default", "created_at")
    return found.values_list("timezone", flat=True).first() or "UTC"


def balances(role: str, account_ids: Sequence[UUID]) -> dict[UUID, dict[str, Decimal]]:
    """What the books say on the ledger account of a role by customer and currency. For other rooms' checks."""
    rows = (
        Posting.objects.filter(ledger_account__role=role, account__in=account_ids)
        .values_list("account_id", "currency")
        .annotate(balance=Sum("amount"))
    )
    found: dict[UUID, dict[str, Decimal]] = {}
    for account_id, currency, balance in rows:
        found.setdefault(account_id, {})[currency] = balance
    return found
