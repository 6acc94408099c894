"""The report of a simulation for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def readable(found: Mapping[str, Any]) -> str:
    """Documents with their lines, charges, and what is owed at the end."""
    return "\n".join(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    if found["name"]:
        yield found["name"]
        yield ""
    for document in found["documents"]:
        yield from _document(document)
        yield ""
    if not found["documents"]:
        yield "Nothing is billed."
        yield ""
    for charge in found["charges"]:
        again = f", again on {charge['next_on']}" if charge["next_on"] else ""
        yield f"{charge['on']}  {charge['document']:<8} charge {charge['outcome']}{again}"
    for step in found["receivables"]:
        yield f"{step['on']}  {step['document']:<8} {step['step']} to {step['account']}"
    for account, balances in found["balances"].items():
        for currency, amount in balances.items():
            aging = ", ".join(
                f"{name} {value}" for name, value in found["aging"][account].items() if _is_something(value)
            )
            yield f"{account} owes {amount} {currency}" + (f" ({aging})" if aging else "")


def _document(document: Mapping[str, Any]) -> Iterator[str]:
    kind = "credit note" if document["kind"] == "credit_note" else "invoice"
    due = f", due {document['due_on']}" if document["due_on"] else ""
    yield f"{document['issued_on']}  {document['key']}  {kind} for {document['account']}{due}"
    for line in document["lines"]:
        what = line["price"] or line["text"]
        period = f" {line['period'][0]} – {line['period'][1]}" if line["period"] else ""
        yield f"    {what + period:<52} {line['amount']:>14}   {line['why']}"
    for tax in document["taxes"]:
        yield f"    {'tax ' + tax['rate'] + ' % on ' + tax['base']:<52} {tax['amount']:>14}"
    yield f"    {'total ' + document['currency']:<52} {document['total']:>14}   open {document['open']}"


def _is_something(value: str) -> bool:
    """Whether an amount is anything but zero."""
    return value.strip("0.-") != ""
