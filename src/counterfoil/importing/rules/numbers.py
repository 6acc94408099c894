"""Numbers as files write them: ``1,234.50``, ``1.234,50``, ``1 234,50``, ``(12.00)``, ``EUR 12``."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_NOISE = re.compile(r"[\s\u00a0\u202f']|[A-Z]{3}|[€$£¥]")


def read_number(text: str) -> Decimal:
    """The number; raises ``ValueError``, also for digits of other scripts: no door takes them.

    A lone comma is a decimal comma unless exactly three digits follow a shorter head.
    """
    cleaned = _NOISE.sub("", text).replace("\u2212", "-")
    if cleaned.startswith("(") and cleaned.endswith(")"):
        cleaned = "-" + cleaned[1:-1]
    if "," in cleaned and "." in cleaned:
        decimal = max(cleaned.rfind(","), cleaned.rfind("."))
        thousands = "," if cleaned[decimal] == "." else "."
        cleaned = cleaned.replace(thousands, "").replace(",", ".")
    elif "," in cleaned:
        grouped = re.fullmatch(r"-?\d{1,3}(,\d{3})+", cleaned, re.ASCII)
        cleaned = cleaned.replace(",", "" if grouped else ".")
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", cleaned, re.ASCII):
        raise ValueError(text)
    try:
        return Decimal(cleaned)
    except InvalidOperation:
        raise ValueError(text) from None
