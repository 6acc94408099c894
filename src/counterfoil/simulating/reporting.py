"""What a played scenario came to: documents, charges, balances, aging and books, read from the scratch copy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from counterfoil.core.money import currency_decimals
from counterfoil.invoicing.borne import keys_of, one_a_rate
from counterfoil.invoicing.models import Invoice, InvoiceLine, InvoiceTax
from counterfoil.invoicing.queries import due_plans
from counterfoil.ledger.queries import posted_by_role
from counterfoil.payments.models import Allowance, Payment
from counterfoil.plumbing.bulk import Wanted, read_together, read_where
from counterfoil.plumbing.events import event_class
from counterfoil.plumbing.models import OutboxEvent
from counterfoil.simulating.playing import Played
from counterfoil.simulating.rules.aging import aged, bucket_names
from counterfoil.simulating.stage import UNTAXED
from counterfoil.subscriptions.models import BilledPeriod, SubscriptionItem
from counterfoil.subscriptions.rules.grid import SECONDS, restored

_ISSUED = "entity_id = %s AND status = 'issued'"
_ON_THEM = f"invoice_id IN (SELECT id FROM invoicing_invoice WHERE {_ISSUED})"  # noqa: S608 - constants
_OF_DOCUMENTS = (
    "kind", "payer_id", "issued_on", "due_on", "currency", "net", "tax", "total", "settled", "credited",
    "early_discount_until", "early_discount_amount",
)  # fmt: skip
_OF_LINES = (
    "invoice_id", "description", "kind", "quantity", "unit_price", "service_from", "service_to", "share", "why", "net",
    "tax_label", "tax_percent", "tax_category", "tax_included", "more_taxes", "subscription_id", "subscription_item_id",
    "credits_line_id",
)  # fmt: skip
_TOLD = ("subscriptions.", "invoicing.", "payments.")
_UNTOLD = {"invoicing.draft_made", "invoicing.invoice_sent"}


class Report:
    """The output of one scenario as JSON values."""

    def __init__(self, played: Played) -> None:
        self.played = played
        self.stage = played.stage
        self.decimals = currency_decimals(self.stage.currency)
        self.account_keys = {account_id: key for key, account_id in self.stage.accounts.items()}
        self.subscription_keys = {made: key for key, made in self.stage.subscriptions.items()}
        entity, subscriptions = (self.stage.entity,), (list(self.subscription_keys),)
        self.documents, self.lines, self.taxes, allowances, items, self.payments = read_together(
            Wanted(Invoice, _ISSUED, entity, "issued_at, created_at, id", only=_OF_DOCUMENTS),
            Wanted(InvoiceLine, _ON_THEM, entity, "invoice_id, position", only=_OF_LINES),
            Wanted(InvoiceTax, _ON_THEM, entity, "percent DESC, category, included, again"),
            Wanted(Allowance, _ON_THEM, entity, only=("invoice_id", "amount")),
            Wanted(SubscriptionItem, "subscription_id = ANY(%s)", subscriptions, only=("price_key",)),
            Wanted(Payment, "entity_id = %s", entity, only=("id",)),
        )
        self.items = {item.pk: item.price_key for item in items}
        self.keys = {one.pk: key for one, key in zip(self.documents, _keys(self.documents), strict=True)}
        self.plans = due_plans(self.documents)
        self.posted = posted_by_role(self.stage.entity)
        self.allowed: dict[UUID, Decimal] = defaultdict(Decimal)
        for one in allowances:
            self.allowed[one.invoice_id] += one.amount

    def whole(self) -> dict[str, Any]:
        return {
            "scenario": 1,
            "name": self.stage.scenario.name,
            "documents": self._documents(),
            "charges": [
                {
                    "on": one.on.isoformat(),
                    "document": self.keys[one.invoice_id],
                    "outcome": one.outcome,
                    "next_on": one.next_on.isoformat() if one.next_on else None,
                }
                for one in self.played.charges
            ],
            "receivables": [
                {
                    "on": one.on.isoformat(),
                    "account": self.account_keys[one.account_id],
                    "document": self.keys[one.invoice_id],
                    "step": one.step,
                    "state": "done",
                }
                for one in self.played.steps
            ],
            "events": self._events(),
            "balances": self._balances(),
            "aging": self._aging(),
            "ledger": self._ledger(),
        }

    # Documents --------------------------------------------------------------------------------------------------------

    def _documents(self) -> list[dict[str, Any]]:
        lines: dict[UUID, list[InvoiceLine]] = defaultdict(list)
        for line in self.lines:
            lines[line.invoice_id].append(line)
        taxes: dict[UUID, list[InvoiceTax]] = defaultdict(list)
        for tax in self.taxes:
            if tax.label != UNTAXED:
                taxes[tax.invoice_id].append(tax)
        periods = self._periods()
        return [self._document(one, lines[one.pk], taxes[one.pk], periods, self.items) for one in self.documents]

    def _document(
        self,
        one: Invoice,
        lines: Sequence[InvoiceLine],
        taxes: Sequence[InvoiceTax],
        periods: Mapping[UUID, list[str]],
        items: Mapping[UUID, str],
    ) -> dict[str, Any]:
        assert one.issued_on is not None
        is_credit = one.kind == "credit_note"
        plan = self.plans.get(one.pk)
        left = one.open
        return {
            "key": self.keys[one.pk],
            "kind": one.kind,
            "account": self.account_keys[one.payer_id],
            "issued_on": one.issued_on.isoformat(),
            "due_on": None if is_credit or one.due_on is None else one.due_on.isoformat(),
            "currency": one.currency,
            "lines": [self._line(parts, periods, items) for parts in _whole_lines(lines)],
            "net": self._amount(one.net),
            "taxes": [
                {
                    "rate": _plain(parts[0].percent),
                    "base": self._amount(sum((part.base for part in parts), Decimal(0))),
                    "amount": self._amount(sum((part.amount for part in parts), Decimal(0))),
                }
                for parts in one_a_rate(taxes)
            ],
            "tax": self._amount(one.tax),
            "total": self._amount(one.total),
            "paid": self._amount(Decimal(0) if is_credit else one.settled - self.allowed.get(one.pk, Decimal(0))),
            "credited": self._amount(one.credited),
            "open": self._amount(Decimal(0) if is_credit else left),
            "instalments": []
            if is_credit or plan is None
            else [
                {"due_on": part.due_on.isoformat(), "amount": self._amount(part.amount.amount)}
                for part in plan.instalments
            ],
            "early_discount": None
            if is_credit or plan is None or plan.early_discount is None
            else {
                "until": plan.early_discount.until.isoformat(),
                "amount": self._amount(plan.early_discount.amount.amount),
                "pay": self._amount(plan.early_discount.pay.amount),
            },
        }

    def _line(
        self, parts: Sequence[InvoiceLine], periods: Mapping[UUID, list[str]], items: Mapping[UUID, str]
    ) -> dict[str, Any]:
        line = parts[0]
        period = periods.get(line.pk)
        if period is None and line.service_from and line.service_to:
            period = [line.service_from.isoformat(), line.service_to.isoformat()]
        return {
            "subscription": self.subscription_keys.get(line.subscription_id) if line.subscription_id else None,
            "price": items.get(line.subscription_item_id) if line.subscription_item_id else None,
            "text": line.description,
            "kind": line.kind,
            "period": period,
            "quantity": _plain(line.quantity),
            "share": line.share or None,
            "unit_price": self._price(line.unit_price),
            "amount": self._amount(sum((part.net for part in parts), Decimal(0))),
            "tax_rate": None if line.tax_label == UNTAXED else "+".join(_plain(key.percent) for key in keys_of(line)),
            "why": line.why or f"{_plain(line.quantity)} × {self._price(line.unit_price)}",
        }

    def _periods(self) -> dict[UUID, list[str]]:
        """The periods of lines in the words of the basis: days, or on seconds instants in UTC."""
        basis = self.stage.policy.basis
        if basis != SECONDS:
            return {}
        told = ("line_id", "starts_at", "ends_at")
        rows = read_where(BilledPeriod, "subscription_id = ANY(%s)", list(self.subscription_keys), only=told)
        return {
            row.line_id: [_written(restored(row.starts_at, basis)), _written(restored(row.ends_at, basis))]
            for row in rows
            if row.line_id is not None
        }

    # What is owed -----------------------------------------------------------------------------------------------------

    def _events(self) -> list[list[str]]:
        about = {one.pk for one in self.documents} | set(self.subscription_keys)
        about |= {one.pk for one in self.payments}
        told = ("name", "happened_at")
        found = read_where(OutboxEvent, "about && %s::uuid[]", list(about), order="id", only=told)
        return [
            [self.stage.day(one.happened_at).isoformat(), event_class(one.name).__name__]
            for one in found
            if one.name.startswith(_TOLD) and one.name not in _UNTOLD
        ]

    def _owed(self) -> dict[UUID, Decimal]:
        """What each account owes, less what of its money is left over."""
        owed: dict[UUID, Decimal] = dict.fromkeys(self.account_keys, Decimal(0))
        for (role, account_id), amount in self.posted.items():
            if role in ("receivable", "customer_credit") and account_id in owed:
                owed[account_id] += amount
        return owed

    def _balances(self) -> dict[str, dict[str, str]]:
        return {
            self.account_keys[account_id]: {self.stage.currency: self._amount(amount)}
            for account_id, amount in self._owed().items()
        }

    def _aging(self) -> dict[str, dict[str, str]]:
        limits = self.stage.scenario.policies.aging.buckets
        until = self.stage.day(self.stage.scenario.until)
        parts: dict[UUID, list[tuple[date, Decimal]]] = {account_id: [] for account_id in self.account_keys}
        for one in self.documents:
            plan = self.plans.get(one.pk)
            if one.kind != "invoice" or plan is None:
                continue
            paid = one.settled + one.credited
            for part in plan.instalments:
                covered = min(paid, part.amount.amount)
                paid -= covered
                parts[one.payer_id].append((part.due_on, part.amount.amount - covered))
        return {
            self.account_keys[account_id]: {
                name: self._amount(amount)
                for name, amount in zip(bucket_names(limits), aged(found, until, limits), strict=True)
            }
            for account_id, found in parts.items()
        }

    def _ledger(self) -> dict[str, str]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for (role, _), amount in self.posted.items():
            sums[role] += amount
        return {role: self._amount(amount) for role, amount in sorted(sums.items())}

    def _amount(self, value: Decimal) -> str:
        return f"{value:.{self.decimals}f}" if value else f"{0:.{self.decimals}f}"

    def _price(self, value: Decimal) -> str:
        exponent = value.normalize().as_tuple().exponent
        needed = -exponent if isinstance(exponent, int) else 0
        return f"{value:.{max(self.decimals, needed)}f}"


def _keys(documents: Iterable[Invoice]) -> Iterable[str]:
    counts = {"invoice": 0, "credit_note": 0}
    for one in documents:
        counts[one.kind] += 1
        yield f"{'CN' if one.kind == 'credit_note' else 'INV'}-{counts[one.kind]}"


def _whole_lines(lines: Sequence[InvoiceLine]) -> list[list[InvoiceLine]]:
    """A credit that takes back parts of several lines stands on several lines; it is told as the one that it is."""
    found: list[list[InvoiceLine]] = []
    for line in lines:
        whole = found[-1] if found else [line]
        is_part = any(part.credits_line_id is not None for part in (whole[0], line))
        if found and is_part and _names(whole[0]) == _names(line):
            whole.append(line)
        else:
            found.append([line])
    return found


def _names(line: InvoiceLine) -> tuple[Any, ...]:
    if line.kind != "proration_credit" or line.subscription_item_id is None:
        return (line.pk,)
    return (line.subscription_item_id, line.service_from, line.service_to, line.share, line.quantity)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"


def _written(moment: date) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(moment, datetime) else moment.isoformat()
