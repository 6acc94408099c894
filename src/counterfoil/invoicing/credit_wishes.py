"""Which lines of an invoice are to be taken back, as forms and programs send it, cleaned before a command sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from counterfoil.core.errors import Problem, Refusal
from counterfoil.invoicing.queries import line_ids_of
from counterfoil.invoicing.rules.orders import CreditLine, CreditOrder
from counterfoil.plumbing.record_types import ROWS_MAX, BadValue, Field, Kind, clean_value

_LINE = Field("line", "Line", Kind.LINK, to="invoicing.invoice")
_AMOUNT = Field("amount", "Amount", Kind.AMOUNT, decimals=4)
_DESCRIPTION = Field("description", "Description", max_length=300)
_REASON = Field("reason", "Reason", Kind.PARAGRAPH, max_length=500)


def clean_credit(invoice_id: UUID, lines: Any, reason: Any) -> CreditOrder:
    """A credit note of lines ``{"line": id, "amount": "12.50", "description": ""}`` of one invoice; refuses anything
    else at its place.
    """
    if not isinstance(lines, Sequence) or isinstance(lines, str | bytes):
        raise Refusal("not_a_list", "Name lines with amounts.", "lines")
    if len(lines) > ROWS_MAX:
        raise Refusal("too_many", f"At most {ROWS_MAX} lines are possible.", "lines")
    own = line_ids_of(invoice_id)
    problems: list[Problem] = []
    found = []
    for number, raw in enumerate(lines):
        at = f"lines.{number}"
        if not isinstance(raw, Mapping):
            problems.append(Problem(at, "not_an_object", "This must be a line with an amount."))
            continue
        line_id = _value(_LINE, raw.get("line"), f"{at}.line", problems)
        amount = _value(_AMOUNT, raw.get("amount"), f"{at}.amount", problems)
        text = _value(_DESCRIPTION, raw.get("description") or "", f"{at}.description", problems, may_be_empty=True)
        unknown = [name for name in raw if name not in ("line", "amount", "description")]
        problems += [Problem(f"{at}.{str(name)[:60]}", "unknown_field", "There is no such field.") for name in unknown]
        if line_id is not None and line_id not in own:
            problems.append(Problem(f"{at}.line", "no_such_line", "This is no line of this invoice."))
        elif line_id is not None and amount is not None:
            found.append(CreditLine(line_id, amount, description=text or ""))
    why = _value(_REASON, reason or "", "reason", problems, may_be_empty=True)
    if problems:
        raise Refusal.of(problems)
    return CreditOrder(lines=tuple(found), reason=why or "")


def _value(item: Field, raw: Any, at: str, problems: list[Problem], *, may_be_empty: bool = False) -> Any:
    try:
        value = clean_value(item, raw)
    except BadValue as bad:
        problems.append(Problem(at, bad.code, bad.message))
        return None
    if value in (None, "") and not may_be_empty:
        problems.append(Problem(at, "missing", f"{item.label} is missing."))
    return value
