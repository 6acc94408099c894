"""The billing policy of each of our companies."""

from __future__ import annotations

from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project
from counterfoil.core.errors import NotFound
from counterfoil.ledger.models import LegalEntity
from counterfoil.subscriptions.models import BillingPolicy

KEY = "subscriptions.policy"


def list_policies(actor: Actor) -> list[Row]:
    """One for every company, the default one first; ``is_own`` is false where nobody has set any yet."""
    kept = {policy.entity_id: policy for policy in BillingPolicy.objects.all()}
    policies = [
        kept.get(entity.pk) or BillingPolicy(entity=entity, version=0)
        for entity in LegalEntity.objects.order_by("-is_default", "name")
    ]
    names = dict(LegalEntity.objects.values_list("id", "name"))
    for policy in policies:
        policy.entity.name = names[policy.entity_id]
    return [
        row.plus(entity_title=names[row.entity], is_own=row.entity in kept) for row in project(actor, KEY, policies)
    ]


def get_policy(actor: Actor, entity_id: UUID) -> Row:
    """The policy of one company; raises ``NotFound``."""
    for row in list_policies(actor):
        if row.entity == entity_id:
            return row
    raise NotFound("This company does not exist.")
