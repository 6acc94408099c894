"""Coupons: a discount by code, at the start and on a running subscription, with a limit that holds."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from screens_world import Screens
from subscriptions_world import SYSTEM, Billing, item, make_billing

from counterfoil.access.models import Change
from counterfoil.core.errors import Refusal
from counterfoil.plumbing.invariants import verify
from counterfoil.subscriptions import commands
from counterfoil.subscriptions.models import (
    BilledPeriod,
    Coupon,
    CouponRedemption,
    DiscountStop,
    Subscription,
    SubscriptionDiscount,
)
from counterfoil.subscriptions.rules.agreement import Policy
from counterfoil.subscriptions.rules.grid import Interval

pytestmark = pytest.mark.django_db


def coupon(screens: Screens, code: str, **more: Any) -> UUID:
    status, answer = screens.call("POST", "coupons", {"code": code, "name": code, **more}, who="admin")
    assert status == 201, answer
    return UUID(answer["id"])


def nets(subscription: UUID) -> list[str]:
    rows = BilledPeriod.objects.filter(subscription=subscription).order_by("id")
    return [f"{one.starts_at.date()} {one.net:.2f}" for one in rows]


def sound() -> None:
    assert [(one.invariant.key, one.examples) for one in verify() if not one.holds] == []


def test_at_the_start_and_on_a_running_one(screens: Screens, clock: Any) -> None:
    """15 % for two periods from the start; 20.00 off from the next period on; a credit is of what was paid."""
    coupon(screens, "spring 15", percent="15", periods=2)
    coupon(screens, "TWENTY", amount="20.00", currency="EUR", periods=2)
    one = screens.start(("hosting", "1"), coupon="Spring15")
    clock.set("2026-04-16")
    status, answer = screens.call("POST", f"subscriptions/{one}/coupon", {"coupon": "twenty"})
    assert (status, answer["coupon"]) == (200, "SPRING15, TWENTY")
    for on in ("2026-05-01", "2026-06-01", "2026-07-01"):
        screens.billing.run(on)
    assert nets(one) == ["2026-04-01 85.00", "2026-05-01 65.00", "2026-06-01 80.00", "2026-07-01 100.00"]
    screens.billing.cancel(one, when=date(2026, 6, 16))
    assert nets(one)[4:] == ["2026-06-16 -40.00", "2026-07-01 -100.00"]
    assert "subscriptions.coupon_redeemed" in screens.billing.events()
    sound()


def test_from_the_next_period_when_the_present_one_is_billed(screens: Screens) -> None:
    """Redeemed on the day on which the period was billed: that one stays, also when its quantity changes."""
    coupon(screens, "HALF", percent="50")
    one = screens.start(("seat", "2"))
    assert screens.call("POST", f"subscriptions/{one}/coupon", {"coupon": "HALF"})[0] == 200
    screens.billing.on = date(2026, 4, 16)
    status, _ = screens.call(
        "POST", f"subscriptions/{one}/change",
        {"when": "2026-04-01", "items": [{"price": "seat", "quantity": "4"}]},
    )  # fmt: skip
    assert status == 200
    screens.billing.run("2026-05-01")
    assert nets(one) == ["2026-04-01 20.00", "2026-04-01 20.00", "2026-05-01 20.00"]


def test_only_for_products_and_amounts_once(screens: Screens, clock: Any) -> None:
    """10 % on hosting and 15.00 off all: 90.00 and 20.00 share it by what is left, to the cent, in a late run too."""
    hosting = str(product_of(screens, "hosting"))
    coupon(screens, "HOST", percent="10", products=[{"product": hosting}])
    coupon(screens, "FIFTEEN", amount="15.00", currency="EUR")
    one = screens.start(("hosting", "1"), ("seat", "2"), coupon="HOST", start="2026-04-10", anchor_day=10)
    screens.call("POST", f"subscriptions/{one}/coupon", {"coupon": "FIFTEEN"})
    screens.billing.run("2026-05-10")
    assert nets(one) == ["2026-04-10 77.73", "2026-05-10 77.73", "2026-04-10 17.27", "2026-05-10 17.27"]
    clock.set("2026-05-10")
    other = screens.start(("seat", "1"))
    status, answer = screens.call("POST", f"subscriptions/{other}/coupon", {"coupon": "HOST"})
    assert (status, answer["problems"][0]["code"]) == (422, "not_for_these")
    screens.call("POST", f"subscriptions/{other}/coupon", {"coupon": "FIFTEEN"})
    screens.billing.run("2026-06-10")
    assert nets(other)[1:] == ["2026-06-10 0.00"]
    sound()


def product_of(screens: Screens, key: str) -> UUID:
    from counterfoil.catalog.models import Price

    return Price.objects.get(pk=screens.prices[key]).product_id


def test_until_a_day(screens: Screens) -> None:
    """For periods that begin before 1 June."""
    coupon(screens, "MAY", percent="100", until="2026-06-01")
    one = screens.start(("hosting", "1"), coupon="may")
    screens.billing.run("2026-06-01")
    assert nets(one) == ["2026-04-01 0.00", "2026-05-01 0.00", "2026-06-01 100.00"]


def test_what_is_refused(screens: Screens, clock: Any) -> None:
    """At the field, with a code, and nothing is redeemed."""
    coupon(screens, "LATER", percent="5", valid_from="2026-05-01")
    coupon(screens, "OVER", percent="5", valid_to="2026-03-31")
    coupon(screens, "DOLLAR", amount="5.00", currency="USD")
    coupon(screens, "ONE", percent="5", most=1)
    off = coupon(screens, "OFF", percent="5")
    assert screens.call("PATCH", f"coupons/{off}", {"is_active": False}, who="admin")[0] == 200
    first, second = screens.start(("seat", "1")), screens.start(("seat", "1"))
    assert screens.call("POST", f"subscriptions/{first}/coupon", {"coupon": "ONE"})[0] == 200
    asked = [
        (screens.call("POST", f"subscriptions/{which}/coupon", {"coupon": code}))
        for which, code in (
            (second, "NONE"), (second, "OFF"), (second, "LATER"), (second, "OVER"), (second, "DOLLAR"),
            (second, "ONE"), (first, "ONE"),
        )
    ]  # fmt: skip
    assert [(status, answer["problems"][0]["field"], answer["problems"][0]["code"]) for status, answer in asked] == [
        (422, "coupon", "not_found"),
        (422, "coupon", "not_found"),
        (422, "coupon", "not_yet"),
        (422, "coupon", "expired"),
        (422, "coupon", "other_currency"),
        (422, "coupon", "used_up"),
        (409, "coupon", "redeemed_already"),
    ]
    status, answer = screens.call(
        "POST", "subscriptions",
        {"account": str(screens.billing.acme), "start": "2026-04-01", "items": [{"price": "seat"}], "coupon": "ONE"},
    )  # fmt: skip
    assert (status, answer["problems"][0]["field"]) == (422, "coupon")
    assert (CouponRedemption.objects.count(), SubscriptionDiscount.objects.count()) == (1, 1)
    assert Subscription.objects.count() == 2
    bad = [
        ({"code": "X", "name": "x"}, "percent"),
        ({"code": "X", "name": "x", "amount": "5"}, "currency"),
        ({"code": "X", "name": "x", "percent": "5", "periods": 2, "until": "2027-01-01"}, "until"),
        ({"code": "one", "name": "x", "percent": "5"}, "code"),
        ({"code": " ", "name": "x", "percent": "5"}, "code"),
    ]
    for values, field in bad:
        status, answer = screens.call("POST", "coupons", values, who="admin")
        assert (status in (409, 422), answer["problems"][0]["field"]) == (True, field), answer
    assert screens.call("POST", "coupons", {"code": "X", "name": "x", "percent": "5"}, who="sales")[0] == 403
    redeemed = Coupon.objects.get(code="ONE")
    status, answer = screens.call("PATCH", f"coupons/{redeemed.pk}", {"percent": "9"}, who="admin")
    assert (status, answer["problems"][0]["code"]) == (422, "fixed")


def take_off(screens: Screens, subscription: UUID, number: int = 1, **more: Any) -> tuple[int, Any]:
    return screens.call("POST", f"subscriptions/{subscription}/discount-off", {"discount": number}, **more)


def test_taken_off_and_redeemed_again(screens: Screens, clock: Any) -> None:
    """50 % for four periods, taken off in the first: that one keeps it, also for what is added to it. Redeemed again in
    the second, it goes on with the third, as the same redemption, and ends with the fourth.
    """
    coupon(screens, "HALF", percent="50", periods=4, most=1)
    one = screens.start(("hosting", "1"), coupon="HALF")
    clock.set("2026-04-16")
    screens.billing.on = date(2026, 4, 16)
    _, preview = screens.call("POST", f"subscriptions/{one}/discount-off/preview", {"discount": 1})
    assert (preview["documents"], preview["next"]["on"], preview["next"]["net"]) == ([], "2026-05-01", "100.00")
    assert DiscountStop.objects.count() == 0
    status, answer = take_off(screens, one)
    assert (status, answer["coupon"], answer["discounts"][0]["off_from"]) == (200, "", "2026-04-16")
    two = {"when": "2026-04-16", "items": [{"price": "hosting", "quantity": "1"}, {"price": "seat", "quantity": "2"}]}
    assert screens.call("POST", f"subscriptions/{one}/change", two)[0] == 200
    screens.billing.run("2026-05-01")
    clock.set("2026-05-10")
    status, answer = screens.call("POST", f"subscriptions/{one}/coupon", {"coupon": "half"})
    assert (status, answer["coupon"], answer["discounts"][0]["off_from"]) == (200, "HALF", None)
    for on in ("2026-06-01", "2026-07-01", "2026-08-01"):
        screens.billing.run(on)
    assert nets(one) == [
        "2026-04-01 50.00", "2026-04-16 5.00",
        "2026-05-01 100.00", "2026-05-01 20.00",
        "2026-06-01 50.00", "2026-06-01 10.00",
        "2026-07-01 50.00", "2026-07-01 10.00",
        "2026-08-01 100.00", "2026-08-01 20.00",
    ]  # fmt: skip
    assert (Coupon.objects.get().redeemed, CouponRedemption.objects.count()) == (1, 1)
    assert screens.billing.events().count("subscriptions.discount_taken_off") == 1
    changed = Change.objects.filter(table_name="subscriptions_discountstop").order_by("id")
    assert list(changed.values_list("operation", flat=True)) == ["insert", "update"]
    sound()


def test_taken_off_by_mistake(screens: Screens, clock: Any) -> None:
    """Redeemed again before any period was billed without it, it is as if it had never been off."""
    coupon(screens, "TEN", percent="10", periods=2)
    one = screens.start(("hosting", "1"), coupon="TEN")
    assert take_off(screens, one)[0] == 200
    assert screens.call("POST", f"subscriptions/{one}/coupon", {"coupon": "TEN"})[0] == 200
    assert DiscountStop.objects.count() == 0
    for on in ("2026-05-01", "2026-06-01"):
        screens.billing.run(on)
    assert nets(one) == ["2026-04-01 90.00", "2026-05-01 90.00", "2026-06-01 100.00"]


def test_a_discount_without_a_coupon_and_a_yearly_period(screens: Screens, clock: Any) -> None:
    """Taken off in April, it stays for the year that is billed, and for what is given back of it."""
    one = screens.start(("yearly", "1"), ("hosting", "1"), discounts=[{"percent": "10"}, {"amount": "8.00"}])
    assert take_off(screens, one)[0] == 200
    screens.billing.run("2026-05-01")
    screens.billing.on = date(2026, 10, 1)
    screens.billing.run("2026-10-01")
    only = {"when": "2026-10-01", "items": [{"price": "hosting", "quantity": "1"}]}
    clock.set("2026-10-01")
    assert screens.call("POST", f"subscriptions/{one}/change", only)[0] == 200
    first = [line for line in nets(one) if line.startswith("2026-04-01")]
    assert first == ["2026-04-01 1072.62", "2026-04-01 89.38"]  # 1,170.00 less 8.00
    assert nets(one)[2] == "2026-05-01 92.00"
    assert nets(one)[-1] == "2026-10-01 -534.84"  # 182 of 365 days of 1,072.62
    sound()


def test_what_is_not_taken_off(screens: Screens, clock: Any) -> None:
    """At the field, with a code; nothing changes."""
    coupon(screens, "ONCE", percent="10", periods=1)
    gone = coupon(screens, "GONE", percent="10")
    one = screens.start(("hosting", "1"), coupon="ONCE")
    assert screens.call("POST", f"subscriptions/{one}/coupon", {"coupon": "GONE"})[0] == 200
    assert take_off(screens, one, 2)[0] == 200
    screens.call("PATCH", f"coupons/{gone}", {"is_active": False}, who="admin")
    asked = [
        take_off(screens, one, 9),
        take_off(screens, one, 2),
        take_off(screens, one, 1),
        screens.call("POST", f"subscriptions/{one}/coupon", {"coupon": "GONE"}),
        screens.call("POST", f"subscriptions/{one}/coupon", {"coupon": "ONCE"}),
    ]
    assert [(status, answer["problems"][0]["field"], answer["problems"][0]["code"]) for status, answer in asked] == [
        (422, "discount", "not_found"),
        (409, "discount", "off_already"),
        (409, "discount", "over"),
        (422, "coupon", "not_found"),
        (409, "coupon", "redeemed_already"),
    ]
    assert take_off(screens, one, 1, who="sales")[0] == 403
    assert take_off(screens, uuid4())[0] == 404
    for number in (0, -1, 10**9, "x"):
        assert screens.call("POST", f"subscriptions/{one}/discount-off", {"discount": number})[0] == 422
    screens.billing.cancel(one, when=date(2026, 4, 1))
    assert take_off(screens, one, 1)[1]["problems"][0]["code"] == "ended"
    assert DiscountStop.objects.count() == 1


def test_a_coupon_whose_periods_passed_while_it_was_off(screens: Screens, clock: Any) -> None:
    coupon(screens, "TWO", percent="10", periods=2)
    one = screens.start(("hosting", "1"), coupon="TWO")
    assert take_off(screens, one)[0] == 200
    screens.billing.run("2026-05-01")
    clock.set("2026-05-02")
    status, answer = screens.call("POST", f"subscriptions/{one}/coupon", {"coupon": "TWO"})
    assert (status, answer["problems"][0]["code"]) == (409, "over")
    assert DiscountStop.objects.get().ends_at is None


def test_where_seconds_are_counted_the_next_day_is_not_left_out(screens: Screens, clock: Any) -> None:
    """The day on which the clocks go forward has 23 hours: the day after it is the next period all the same."""
    day = item("basic", interval=Interval("day"))
    start = datetime(2026, 3, 29, 0, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    screens.billing.on = date(2026, 3, 29)
    one = screens.billing.start(day, start=start, policy=Policy(basis="seconds"))
    coupon(screens, "HALF", percent="50")
    commands.redeem_coupon(actor=SYSTEM, subscription_id=one, code="HALF", on=screens.billing.on, at=screens.billing.at)
    screens.billing.run("2026-03-30")
    assert [line[11:] for line in nets(one)] == ["100.00", "50.00"]


def words(answer: Any) -> str:
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(html.unescape(text).replace("\u00a0", " ").split())


def test_the_pages(screens: Screens) -> None:
    """Made in the settings, named on the start form, redeemed from the subscription's page, and shown there."""
    admin, browser = screens.staff.browser("admin"), screens.staff.browser("billing")
    form = {"code": "ten", "name": "Ten off", "percent": "10", "periods": "3", "is_active": "yes"}
    assert admin.post("/settings/coupons/new/", {**form, "percent": ""}).status_code == 422
    assert admin.post("/settings/coupons/new/", form).headers["Location"] == "/settings/coupons/"
    listed = words(admin.get("/settings/coupons/"))
    assert "TEN Ten off 10 % 3 periods yes 0" in listed
    one = Coupon.objects.get()
    assert admin.post(f"/settings/coupons/{one.pk}/", {**form, "name": "Ten", "version": "1"}).status_code == 302
    assert browser.get(f"/settings/coupons/{one.pk}/").status_code == 200
    address = f"/subscriptions/new/preview/?account={screens.billing.acme}"
    start = {"items-0-price": "hosting", "items-0-quantity": "1", "start": "2026-04-01", "coupon": "ten"}
    assert "Net 90.00 EUR" in words(browser.post(address, start))
    assert "The preview waits: There is no such coupon." in words(browser.post(address, {**start, "coupon": "no"}))
    assert CouponRedemption.objects.count() == 0
    subscription = screens.start(("hosting", "1"))
    wrong = browser.post(f"/subscriptions/{subscription}/coupon/", {"code": "no", "version": "1"})
    assert (wrong.status_code, "There is no such coupon." in words(wrong)) == (422, True)
    assert "Code is missing." in words(browser.post(f"/subscriptions/{subscription}/coupon/", {}))
    preview = browser.post(f"/subscriptions/{subscription}/preview/coupon/", {"code": "ten"})
    assert "May 1, 2026 · 90.00 EUR net" in words(preview)
    assert browser.post(f"/subscriptions/{subscription}/coupon/", {"code": "ten", "version": "1"}).status_code == 302
    shown = browser.get(f"/subscriptions/{subscription}/")
    assert "Discount of coupon TEN for 3 periods 10 %" in words(shown)
    assert "Take off a discount…" in words(shown)
    address = f"/subscriptions/{subscription}/discount-off/"
    assert "10 % of coupon TEN, for 3 periods" in words(browser.get(address))
    assert "Discount is missing." in words(browser.post(address, {}))
    refused = browser.post(address, {"discount": "7"})
    assert (refused.status_code, "This subscription has no such discount." in words(refused)) == (422, True)
    preview = browser.post(f"/subscriptions/{subscription}/preview/discount/", {"discount": "1"})
    assert "May 1, 2026 · 100.00 EUR net" in words(preview)
    assert browser.post(address, {"discount": "1"}).status_code == 302
    shown = browser.get(f"/subscriptions/{subscription}/")
    assert "for 3 periods; taken off, not for periods from Apr 2, 2026 on 10 %" in words(shown)
    assert "Take off a discount…" not in words(shown)


@pytest.fixture
def real(transactional_db: None) -> Iterator[Billing]:
    yield make_billing()
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_eight_threads_never_go_beyond_the_limit(real: Billing) -> None:
    """Eight redeem a coupon of five at once, for twenty subscriptions: five get it."""
    Coupon.objects.create(id=uuid4(), created_at=real.at, code="FIVE", name="Five", percent=Decimal(5), most=5)
    subscriptions = [real.start(item("basic")) for _ in range(20)]

    def redeem(subscription: UUID) -> str:
        try:
            commands.redeem_coupon(actor=SYSTEM, subscription_id=subscription, code="FIVE", on=real.on, at=real.at)
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()
        return "redeemed"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(redeem, subscriptions))
    assert (answers.count("redeemed"), answers.count("used_up")) == (5, 15)
    assert sorted(CouponRedemption.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5]
    assert (Coupon.objects.get().redeemed, SubscriptionDiscount.objects.count()) == (5, 5)
