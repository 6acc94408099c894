"""``counterfoil prices raise``: a price increase, previewed as a table, and planned with ``--yes``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from counterfoil.app.cli.ground import Trouble, say, say_table, the_product

if TYPE_CHECKING:
    from counterfoil.access.projection import Row
    from counterfoil.app.cli.ground import Commands
    from counterfoil.core.money import Money

_HEADS = ("subscription", "name", "what", "now", "then", "a year", "from", "")


def register(commands: Commands) -> None:
    prices = commands.add_parser("prices", help="prices of subscriptions that run")
    actions = prices.add_subparsers(title="actions", metavar="ACTION", required=True)
    rise = actions.add_parser(
        "raise", help="show what a price increase does to whom and, with --yes, plan it",
        description="Nothing is kept without --yes. Customers are not told without --notice-days. "
        "docs/price-increase.md explains the rest.",
    )  # fmt: skip
    which = rise.add_argument_group("which prices; all of them when nothing is named")
    which.add_argument("--product", metavar="CODE", help="of a product")
    which.add_argument("--price", metavar="KEY", help="with this key")
    which.add_argument("--price-list", metavar="NAME", help="of a price list")
    which.add_argument("--company", metavar="NAME", help="of one of our companies")
    which.add_argument("--currency", help="in a currency")
    by = rise.add_argument_group("by how much")
    by.add_argument("--percent", help="more by a percentage")
    by.add_argument(
        "--amount", action="append", default=[], metavar="KEY=AMOUNT", help="to a new amount, in --currency"
    )
    when = rise.add_argument_group("when")
    when.add_argument("--from", dest="from_on", required=True, metavar="DAY", help="such as 2027-01-01")
    when.add_argument("--on-the-day", action="store_true", help="within a period; otherwise with the one that begins")
    when.add_argument("--in-term", action="store_true", help="also before a committed term is over")
    when.add_argument("--months-apart", type=int, metavar="MONTHS", help="not again within so many months; 12 at first")
    when.add_argument(
        "--notice-days",
        type=int,
        metavar="DAYS",
        help="tell the customers so many days before; without it they are not told",
    )
    rise.add_argument("--name", default="", help="for colleagues; customers do not see it")
    rise.add_argument("--json", action="store_true", help="print one JSON object")
    rise.add_argument("--yes", action="store_true", help="plan it")
    rise.set_defaults(run=run_raise)


def run_raise(given: argparse.Namespace) -> int:
    with the_product():
        from counterfoil.access.actors import Actor
        from counterfoil.invoicing.queries import local_today
        from counterfoil.plumbing import clock
        from counterfoil.subscriptions import commands, previewing

        actor = Actor.system("Command line", origin="cli")
        values = _values(given, actor)

        def plan() -> Any:
            return commands.plan_increase(actor=actor, values=values, on=local_today(), at=clock.now())

        if given.yes:
            increase_id = plan()
            while commands.plan_raises(actor=actor, increase_id=increase_id, at=clock.now()):
                continue
            return _say_planned(actor, increase_id, as_json=given.json)
        found = previewing.preview_increase(actor, plan, clock.now())
        if given.json:
            say(json.dumps(found.as_json(), ensure_ascii=False))
            return 0
        say_table(_HEADS, [_cells(row) for row in found.raises], numbers=(3, 4, 5))
        rest = "" if found.looked_at == found.expected else f"; these are the first {found.looked_at}"
        say(f"{_counted(found.expected, 'subscription')} concerned{rest}.")
        _say_sums(found.sums, "would rise")
        say(f"{found.notice}.")
        say("Nothing was kept. Add --yes to plan it.")
    return 0


def _values(given: argparse.Namespace, actor: Any) -> dict[str, Any]:
    """What the options say, as the increase's description takes it."""
    amounts = []
    for text in given.amount:
        key, equals, amount = text.rpartition("=")
        if not equals:
            raise Trouble(f"{text} is not KEY=AMOUNT.")
        amounts.append({"price": key, "amount": amount})
    values = {
        "name": given.name or f"Price increase of {given.from_on}",
        "product": _named("product", given.product, actor),
        "price_key": given.price,
        "price_list": _named("price list", given.price_list, actor),
        "entity": _named("company", given.company, actor),
        "currency": given.currency,
        "percent": given.percent,
        "prices": amounts or None,
        "from_on": given.from_on,
        "is_at_renewal": not given.on_the_day,
        "is_in_term": given.in_term,
        "months_apart": given.months_apart,
        "notice_days": given.notice_days,
    }
    return {name: value for name, value in values.items() if value is not None}


def _named(what: str, name: str | None, actor: Any) -> str | None:
    """The id of a record by the code or name that it alone has."""
    from counterfoil.catalog.queries import list_price_lists, list_products
    from counterfoil.invoicing.queries import local_today
    from counterfoil.ledger.queries import list_entities

    if not name:
        return None
    if what == "product":
        found = [row.id for row in list_products(actor, filters={"code": [name]}).rows]
    elif what == "price list":
        found = [row.id for row in list_price_lists(actor, local_today()) if row.name == name]
    else:
        found = [row.id for row in list_entities(actor) if row.name == name]
    if not found:
        raise Trouble(f"There is no {what} {name}.")
    return str(found[0])


def _say_planned(actor: Any, increase_id: Any, *, as_json: bool) -> int:
    from counterfoil.subscriptions import queries
    from counterfoil.surface.as_json import row_json

    row, sums = queries.get_increase(actor, increase_id), queries.sums_of(actor, increase_id)
    if as_json:
        say(json.dumps({"increase": row_json(row), "states": sums.states, "reasons": sums.reasons}, ensure_ascii=False))
        return 0
    say(f"Planned: {row.name} ({row.id})")
    _say_sums(sums, "will rise")
    say(f"{row.notice}.")
    return 0


def _say_sums(sums: Any, verb: str) -> None:
    from counterfoil.subscriptions.rules.raising import LEFT_OUT

    rising = sums.states.get("planned", 0)
    more = f", {_joined(sums.a_year)} more in a year" if sums.a_year else ""
    say(f"{_counted(rising, 'price')} {verb}{more}.")
    for code, count in sorted(sums.reasons.items(), key=lambda one: -one[1]):
        say(f"{count:>6}  left out: {LEFT_OUT[code]}")


def _cells(row: Row) -> list[str]:
    left_out = bool(row.reason)
    old, new = (row.old_price, row.new_price) if row.is_metered else (row.old_net, row.new_net)
    return [
        row.number,
        row.name,
        row.description if row.quantity == 1 or row.is_metered else f"{row.description} × {row.quantity.normalize():f}",
        str(old),
        "" if left_out else str(new),
        "" if left_out else str(row.a_year),
        "" if left_out else row.takes_on.isoformat(),
        row.reason_words if left_out else "",
    ]


def _joined(amounts: Iterable[Money]) -> str:
    return " + ".join(str(one) for one in amounts)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
