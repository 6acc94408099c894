"""The defined references as an actor may see them."""

from __future__ import annotations

from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.projection import Row, project, project_one
from counterfoil.invoicing.models import ReferenceField
from counterfoil.invoicing.queries.rows import REFERENCE


def list_reference_fields(actor: Actor) -> list[Row]:
    """All of them in their order, those in use first."""
    return project(actor, REFERENCE, ReferenceField.objects.order_by("is_retired", "position", "name"))


def reference_fields_after(actor: Actor, *, after: UUID | None, take: int) -> list[Row]:
    """Those with an id above ``after``: a page by cursor."""
    found = ReferenceField.objects.order_by("id")
    return project(actor, REFERENCE, (found.filter(id__gt=after) if after else found)[:take])


def get_reference_field(actor: Actor, field_id: UUID) -> Row:
    """One of them; raises ``NotFound``."""
    return project_one(actor, REFERENCE, ReferenceField.objects.filter(id=field_id).first())
