"""``counterfoil coupons``: list them, make one, switch one off, or take one off a subscription."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from counterfoil.app.cli.ground import Trouble, say, say_table, the_product

if TYPE_CHECKING:
    from counterfoil.access.projection import Row
    from counterfoil.app.cli.ground import Commands

_HEADS = ("code", "name", "discount", "lasts", "can be redeemed", "redeemed")
_MADE = ("code", "name", "percent", "amount", "currency", "periods", "until", "valid_from", "valid_to", "most")


def register(commands: Commands) -> None:
    coupons = commands.add_parser("coupons", help="codes that give subscriptions a discount")
    actions = coupons.add_subparsers(title="actions", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="list the coupons, the newest first")
    listed.set_defaults(run=run_list)
    make = actions.add_parser("make", help="make a coupon")
    make.add_argument("code", help="capitals make no difference")
    make.add_argument("--name", help="for colleagues; the code at first")
    make.add_argument("--percent", help="a percentage off")
    make.add_argument("--amount", help="an amount off each document of a period, in --currency")
    make.add_argument("--currency", help="of the amount")
    make.add_argument("--periods", type=int, help="for so many periods")
    make.add_argument("--until", metavar="DAY", help="for periods that begin before")
    make.add_argument("--valid-from", metavar="DAY", help="the first day on which it can be redeemed")
    make.add_argument("--valid-to", metavar="DAY", help="the last day on which it can be redeemed")
    make.add_argument("--most", type=int, metavar="COUNT", help="redemptions in all")
    make.set_defaults(run=run_make)
    off = actions.add_parser("off", help="switch a coupon off, or with --subscription take it off one that has it")
    off.add_argument("code")
    off.add_argument("--subscription", metavar="NUMBER", help="such as SUB-00001; the coupon itself stays as it is")
    off.set_defaults(run=run_off)
    for action in (listed, make, off):
        action.add_argument("--json", action="store_true", help="print JSON")


def _actor() -> Any:
    from counterfoil.access.actors import Actor

    return Actor.system("Command line", origin="cli")


def run_list(given: argparse.Namespace) -> int:
    with the_product():
        from counterfoil.subscriptions.queries import list_coupons

        rows = list_coupons(_actor())
        if given.json:
            from counterfoil.surface.as_json import row_json

            say(json.dumps([row_json(row) for row in rows], ensure_ascii=False))
        elif rows:
            say_table(_HEADS, [_cells(row) for row in rows], numbers=(2, 5))
        else:
            say("There are no coupons yet.")
    return 0


def run_make(given: argparse.Namespace) -> int:
    with the_product():
        from counterfoil.plumbing import clock
        from counterfoil.subscriptions import commands

        values = {name: value for name in _MADE if (value := getattr(given, name)) is not None}
        values = {"name": given.code, **values, "is_active": True}
        coupon_id = commands.add_coupon(actor=_actor(), values=values, at=clock.now())
        return _say_one(coupon_id, "Made", as_json=given.json)


def run_off(given: argparse.Namespace) -> int:
    with the_product():
        from counterfoil.subscriptions import commands
        from counterfoil.subscriptions.queries import coupon_by_code

        row = coupon_by_code(_actor(), given.code)
        if row is None:
            raise Trouble(f"There is no coupon {given.code}.")
        if given.subscription:
            return _take_off(row, given.subscription, as_json=given.json)
        commands.change_coupon(actor=_actor(), coupon_id=row.id, values={"is_active": False})
        return _say_one(row.id, "Switched off", as_json=given.json)


def _take_off(coupon: Row, number: str, *, as_json: bool) -> int:
    from counterfoil.invoicing.queries import local_today
    from counterfoil.plumbing import clock
    from counterfoil.subscriptions import commands, queries
    from counterfoil.surface.as_json import row_json

    actor = _actor()
    row = queries.subscription_by_number(actor, number)
    if row is None:
        raise Trouble(f"There is no subscription {number}.")
    position = next((one["position"] for one in row.discounts if one["coupon"] == coupon.code), None)
    if position is None:
        raise Trouble(f"{row.number} does not have the discount of {coupon.code}.")
    commands.take_off_discount(actor=actor, subscription_id=row.id, discount=position, on=local_today(), at=clock.now())
    row = queries.get_subscription(actor, row.id)
    if as_json:
        say(json.dumps(row_json(row), ensure_ascii=False))
        return 0
    off_from = next(one["off_from"] for one in row.discounts if one["position"] == position)
    say(f"{row.number} {row.name}: {coupon.code} is not for periods that begin on {off_from} or later.")
    return 0


def _say_one(coupon_id: Any, done: str, *, as_json: bool) -> int:
    from counterfoil.subscriptions.queries import get_coupon
    from counterfoil.surface.as_json import row_json

    row = get_coupon(_actor(), coupon_id)
    say(json.dumps(row_json(row), ensure_ascii=False) if as_json else f"{done}: {', '.join(_cells(row)[:4])}")
    return 0


def _cells(row: Row) -> list[str]:
    until = f"until before {row.until}" if row.until else "for ever"
    days = " ".join(
        word
        for word in (f"from {row.valid_from}" if row.valid_from else "", f"to {row.valid_to}" if row.valid_to else "")
        if word
    )
    return [
        row.code,
        row.name,
        f"{row.percent.normalize():f} %" if row.percent else f"{row.amount.normalize():f} {row.currency}",
        f"{row.periods} period{'' if row.periods == 1 else 's'}" if row.periods else until,
        (days or "yes") if row.is_active else "no",
        f"{row.redeemed} of {row.most}" if row.most else str(row.redeemed),
    ]
