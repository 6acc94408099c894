"""``counterfoil prices`` and ``counterfoil coupons``: looked at first, carried out when asked, in words or JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from screens_world import Screens

from counterfoil.access.models import Change
from counterfoil.app.cli import main
from counterfoil.catalog import commands as catalog
from counterfoil.catalog.models import Product
from counterfoil.subscriptions.models import Coupon, PriceIncrease, PriceRaise, SubscriptionDiscount, SubscriptionItem
from staff import SYSTEM

pytestmark = pytest.mark.django_db

RAISE = ["prices", "raise", "--price", "seat", "--percent", "10", "--from", "2026-05-10"]


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[str]:
    """The lines that a command prints, or complains."""
    assert main(arguments) == code
    printed = capsys.readouterr()
    return (printed.err if code else printed.out).splitlines()


def test_prices_are_raised(screens: Screens, clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The table is what the plan then does; nothing is kept before ``--yes``."""
    desks = screens.start(("seat", "2"), name="Desks")
    committed = screens.start(("seat", "1"), name="Committed", committed_to="2026-12-31")
    first, second = (screens.billing.subscription(one).number for one in (desks, committed))
    table = said(capsys, *RAISE)
    assert [" ".join(line.split()) for line in table[:1] + table[2:]] == [
        "subscription name what now then a year from",
        f"{first} Desks Seat × 2 20.00 EUR 22.00 EUR 24.00 EUR 2026-06-01",
        f"{second} Committed Seat 10.00 EUR Its committed term is not over.",
        "2 subscriptions concerned.",
        "1 price would rise, 24.00 EUR more in a year.",
        "1 left out: Its committed term is not over.",
        "Customers are not told.",
        "Nothing was kept. Add --yes to plan it.",
    ]
    seen = json.loads(said(capsys, *RAISE, "--json")[0])
    assert (seen["expected"], seen["states"]) == (2, {"left_out": 1, "planned": 1})
    assert seen["notice"] == "Customers are not told"
    assert PriceIncrease.objects.count() == 0
    done = said(capsys, *RAISE, "--name", "Seats", "--notice-days", "14", "--yes")
    increase = PriceIncrease.objects.get()
    assert done == [
        f"Planned: Seats ({increase.pk})",
        "1 price will rise, 24.00 EUR more in a year.",
        "     1  left out: Its committed term is not over.",
        "Customers are told 14 days before.",
    ]
    assert (increase.state, increase.planned_by_name, increase.notice_days) == ("planned", "Command line", 14)
    assert PriceRaise.objects.count() == 2
    for days, words in (("0", "Customers are told on the day."), ("1", "Customers are told 1 day before.")):
        assert said(capsys, *RAISE, "--notice-days", days)[-2] == words
    changes = Change.objects.filter(table_name="subscriptions_priceincrease")
    assert {(one.context["actor"], one.context["origin"]) for one in changes} == {("Command line", "cli")}
    again = json.loads(said(capsys, *RAISE, "--yes", "--json")[0])
    assert (again["increase"]["name"], again["reasons"]) == (
        "Price increase of 2026-05-10", {"already_raised": 1, "in_term": 1},
    )  # fmt: skip


def test_what_prices_refuse(screens: Screens, clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """In plain words, with the field; nothing is written."""
    screens.start(("hosting", "1"))
    day = ["--from", "2026-05-10"]
    cases = {
        ("--percent", "10", "--from", "2026-03-01"): "from_on: A price rises from today on at the earliest.",
        ("--percent", "ten", *day): "percent: More by percent must be a number; “ten” is not one.",
        (*day,): "percent: Give a percentage or new amounts.",
        ("--amount", "hosting", *day): "hosting is not KEY=AMOUNT.",
        ("--percent", "1", "--product", "none", *day): "There is no product none.",
        ("--percent", "1", "--price-list", "none", *day): "There is no price list none.",
        ("--percent", "1", "--company", "none", *day): "There is no company none.",
    }
    answers = [said(capsys, "prices", "raise", *asked, "--yes", code=1) for asked in cases]
    assert answers == [[words] for words in cases.values()]
    assert PriceIncrease.objects.count() == 0
    new = ("--product", "hosting", "--company", "Main", "--amount", "hosting=120", "--currency", "EUR", *day)
    table = said(capsys, "prices", "raise", *new, "--on-the-day", "--in-term", "--months-apart", "0")
    assert table[-3] == "1 price would rise, 240.00 EUR more in a year."


def test_a_product_is_chosen_by_its_whole_code(
    screens: Screens, clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the code is a part of more than a page of others."""
    screens.start(("seat", "1"))
    seat = SubscriptionItem.objects.get().product_id
    Product.objects.filter(pk=seat).update(code="1", name="Zz seat", normalised_name="zz seat")
    for number in range(60):
        values = {"code": f"A{number}1", "name": f"A {number}1", "unit_price": "1", "currency": "EUR"}
        catalog.add_product(actor=SYSTEM, values=values)
    by = ["--percent", "10", "--from", "2026-05-10"]
    assert said(capsys, "prices", "raise", "--product", "1", *by)[-3] == "1 price would rise, 12.00 EUR more in a year."


def test_coupons(screens: Screens, clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Made, listed, taken off one subscription, and switched off for all that come."""
    assert said(capsys, "coupons", "list") == ["There are no coupons yet."]
    made = said(capsys, "coupons", "make", "spring 15", "--percent", "15", "--periods", "3", "--most", "50")
    assert made == ["Made: SPRING15, spring 15, 15 %, 3 periods"]
    dollar = ["coupons", "make", "five", "--name", "Five off", "--amount", "5", "--currency", "USD", "--json"]
    assert json.loads(said(capsys, *dollar)[0])["code"] == "FIVE"
    one = screens.start(("hosting", "1"), coupon="spring15")
    assert said(capsys, "coupons", "list") == [
        "code      name       discount  lasts      can be redeemed  redeemed",
        "--------  ---------  --------  ---------  ---------------  --------",
        "FIVE      Five off      5 USD  for ever   yes                     0",
        "SPRING15  spring 15      15 %  3 periods  yes               1 of 50",
    ]
    number = screens.billing.subscription(one).number
    off = ["coupons", "off", "Spring15", "--subscription", number]
    assert said(capsys, *off) == [f"{number} Hosting: SPRING15 is not for periods that begin on 2026-04-02 or later."]
    assert said(capsys, *off, code=1) == ["discount: This discount is taken off already."]
    assert said(capsys, "coupons", "off", "FIVE", "--subscription", number, code=1) == [
        f"{number} does not have the discount of FIVE."
    ]
    assert said(capsys, "coupons", "off", "SPRING15", "--subscription", "SUB-9", code=1) == [
        "There is no subscription SUB-9."
    ]
    assert said(capsys, "coupons", "off", "five") == ["Switched off: FIVE, Five off, 5 USD, for ever"]
    assert json.loads(said(capsys, "coupons", "list", "--json")[0])[0]["is_active"] is False
    assert said(capsys, "coupons", "off", "none", code=1) == ["There is no coupon none."]
    assert said(capsys, "coupons", "make", "five", "--percent", "5", code=1) == ["code: Another coupon has this code."]
    assert said(capsys, "coupons", "make", "six", code=1) == ["percent: Give a percentage or an amount."]
    assert (Coupon.objects.count(), SubscriptionDiscount.objects.count()) == (2, 1)
