"""Where each value of a draft comes from, in a form that can be kept. See ``docs/concepts/sources.md``."""

from __future__ import annotations

from typing import Any

from counterfoil.accounts.rules.inheritance import Sourced
from counterfoil.core.ids import id_text

KINDS = ("own", "parent", "default", "deal", "subscription", "catalog", "rule", "edited", "none")

FIELDS = (
    "account", "entity", "invoiced_account", "party", "payer", "send_to", "recipients", "language", "currency", "terms",
    "delivery_channel", "tax_profile", "po_number", "references", "reference_values", "service", "notes",
    "lines",
)  # fmt: skip
"""Every value of a draft that names its source. A line names two more: ``line`` and ``tax``."""

FOLLOWS_ACCOUNT = ("language", "terms", "delivery_channel")
"""Values that a draft takes over from its account again and again, until a person edits them on the draft."""

Source = dict[str, Any]


def as_source(sourced: Sourced[Any]) -> Source:
    """A source as JSON, to be kept on the draft: ``kind``, ``label`` and ``record``."""
    _, kind, label, record_id = sourced
    return {"kind": kind, "label": label, "record": id_text(record_id) if record_id else None}


def edited_by(name: str) -> Source:
    return {"kind": "edited", "label": f"Edited by {name}", "record": None}


def follows(source: Source | None) -> bool:
    """Whether a value still comes from where the account says it, rather than from a deal or a person."""
    return source is None or source.get("kind") not in ("edited", "deal", "subscription")
