"""Our own companies as what a file may name."""

from __future__ import annotations

from counterfoil.ledger.models import LegalEntity
from counterfoil.plumbing.record_types import Choices


def entity_options() -> Choices:
    return [(str(pk), name) for pk, name in LegalEntity.objects.order_by("name").values_list("id", "name")]
