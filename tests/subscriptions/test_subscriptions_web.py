"""Subscriptions in the browser: every page shows what is agreed, a preview equals what the form then does."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from screens_world import Screens
from subscriptions_world import Billing, item

from counterfoil.invoicing.models import Invoice
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.subscriptions import commands
from counterfoil.subscriptions.models import BillingPolicy, BillingRun, Subscription
from counterfoil.subscriptions.rules.orders import ItemOrder
from staff import SYSTEM, Staff

pytestmark = pytest.mark.django_db


def words(answer: HttpResponse) -> str:
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(html.unescape(text).replace("\u00a0", " ").split())


def test_the_pages_say_what_is_agreed_and_what_comes(screens: Screens, clock: Any) -> None:
    subscription = screens.start(("seat", "2"), name="Desks", committed_to="2026-05-15", notice_days=10)
    browser = screens.staff.browser("billing")
    listed = words(browser.get("/subscriptions/?state=active"))
    assert "Desks Acme AG Seat × 2 Active May 1, 2026 20.00 EUR" in listed
    assert "Desks" not in words(browser.get("/subscriptions/?state=ended"))
    page = words(browser.get(f"/subscriptions/{subscription}/"))
    assert "Billed next May 1, 2026 · 20.00 EUR net Seat is billed in advance, and a period begins." in page
    assert "INV-2026-00001 20.00 EUR" in page
    assert "Notice by" in (renewals := words(browser.get("/subscriptions/renewals/?days=60")))
    assert "Desks Acme AG Seat × 2 May 15, 2026 May 5, 2026 goes on" in renewals
    assert "Desks" not in words(browser.get("/subscriptions/renewals/?days=30"))
    assert "Desks" in words(browser.get(f"/accounts/{screens.billing.acme}/subscriptions/"))
    for verb in ("change", "pause", "cancel", "details"):
        assert browser.get(f"/subscriptions/{subscription}/{verb}/").status_code == 200


def test_the_preview_of_a_form_is_what_the_form_does(screens: Screens, clock: Any) -> None:
    """Five seats from 16 April: 15.00 net, 17.85 in all, in the preview and on the invoice."""
    subscription = screens.start(("seat", "2"))
    clock.set("2026-04-16")
    browser = screens.staff.browser("billing")
    form = {"items-0-price": "seat", "items-0-quantity": "5", "when": "2026-04-16", "version": "1"}
    preview = words(browser.post(f"/subscriptions/{subscription}/preview/change/", form))
    assert "Invoice, sent at once Seat × 3" in preview
    assert "15 of 30 days × 3 × 10.00 15.00 EUR Net 15.00 EUR Tax 2.85 EUR Total 17.85 EUR" in preview
    assert "May 1, 2026 · 50.00 EUR net" in preview
    assert (Invoice.objects.count(), Subscription.objects.get().version) == (1, 1)
    answer = browser.post(f"/subscriptions/{subscription}/change/", form)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/subscriptions/{subscription}/")
    assert Invoice.objects.order_by("-id")[0].total == Decimal("17.85")
    stale = browser.post(f"/subscriptions/{subscription}/change/", {**form, "items-0-quantity": "9"})
    assert stale.status_code == 409
    assert 'value="9"' in stale.content.decode()
    assert Invoice.objects.count() == 2


def test_start_form_and_its_preview(screens: Screens) -> None:
    browser = screens.staff.browser("billing")
    assert "First who subscribes" in words(browser.get("/subscriptions/new/"))
    address = f"/subscriptions/new/?account={screens.billing.acme}"
    assert "€10.00 per unit monthly, in advance" in words(browser.get(address))
    form = {"items-0-price": "hosting", "items-0-quantity": "1", "start": "2026-04-01", "is_renewed": "yes"}
    preview = words(browser.post(address.replace("/new/", "/new/preview/"), form))
    assert "Total 119.00 EUR" in preview
    waiting = words(browser.post(address.replace("/new/", "/new/preview/"), {**form, "start": ""}))
    assert waiting == "The preview waits: Starts on is missing."
    assert Subscription.objects.count() == 0
    refused = browser.post(address, {**form, "items-0-quantity": "-1"})
    assert (refused.status_code, Subscription.objects.count()) == (422, 0)
    answer = browser.post(address, form)
    assert answer.headers["Location"] == f"/subscriptions/{Subscription.objects.get().pk}/"
    assert Invoice.objects.get().total == Decimal("119.00")


def test_the_run_page_shows_progress_and_stops_asking(screens: Screens, clock: Any) -> None:
    screens.start(("hosting", "1"))
    clock.set("2026-05-01")
    browser = screens.staff.browser("billing")
    assert "1 subscription due now" in words(browser.get("/billing-runs/"))
    address = browser.post("/billing-runs/").headers["Location"]
    assert address == f"/billing-runs/{BillingRun.objects.get().pk}/"
    busy = browser.get(address)
    assert "0 of 1" in words(busy)
    assert 'hx-trigger="every 1s"' in busy.content.decode()
    run_waiting_jobs()
    part = browser.get(address, headers={"HX-Request": "true", "HX-Target": "run-state"}).content.decode()
    assert part.strip().startswith('<div id="run-state"')
    assert "hx-trigger" not in part
    assert "100.00" in part
    assert browser.post("/billing-runs/").headers["Location"] == "/billing-runs/"
    assert "Nothing is due now" in words(browser.get("/billing-runs/"))


def test_parked_ones_are_unparked_together(screens: Screens, clock: Any) -> None:
    first, second = screens.start(("seat", "1")), screens.start(("seat", "2"))
    Subscription.objects.update(parked_at=clock.now, parked_reason="Too much")
    browser = screens.staff.browser("billing")
    assert words(browser.get("/subscriptions/?state=parked")).count("Too much") == 2
    assert "and not billed: Too much" in words(browser.get(f"/subscriptions/{first}/"))
    browser.post("/subscriptions/unpark/", {"ids": [str(first)]})
    assert list(Subscription.objects.filter(parked_at=None).values_list("pk", flat=True)) == [first]
    browser.post("/subscriptions/unpark/", {"all": "1"})
    assert Subscription.objects.filter(parked_at=None).count() == 2
    assert browser.post(f"/subscriptions/{second}/unpark/").status_code == 409
    assert browser.post("/subscriptions/unpark/", {}).status_code == 404


def test_policy_page_is_changed_by_an_admin_alone(screens: Screens) -> None:
    address = f"/settings/billing-policies/{screens.billing.entity}/"
    form = {"basis": "fixed_30", "most_documents_a_day": "7", "is_reviewed": "yes", "version": "0"}
    assert screens.staff.browser("billing").post(address, form).status_code == 403
    admin = screens.staff.browser("admin")
    assert "The usual policy" in words(admin.get("/settings/billing-policies/"))
    assert admin.post(address, form).status_code == 302
    policy = BillingPolicy.objects.get()
    assert (policy.basis, policy.most_documents_a_day, policy.is_reviewed) == ("fixed_30", 7, True)
    assert admin.post(address, form).status_code == 409
    assert "at most 7 documents a day" in words(admin.get("/settings/billing-policies/"))


@pytest.mark.parametrize(
    ("verb", "form"),
    [
        ("pause", {"mode": "skip", "when": "2026-04-20", "reason": "Move"}),
        ("cancel", {"when": "2026-04-20", "credited": "yes", "reason": "Move"}),
        ("coupon", {"code": "TEN"}),
        ("details", {"name": "Move"}),
    ],
)
def test_what_was_previewed_before_somebody_else_changed_it_is_not_done(
    screens: Screens, clock: Any, verb: str, form: dict[str, str]
) -> None:
    """Two pages open: what the second one typed stays, it is told so once, and nothing is billed or given back."""
    commands.add_coupon(
        actor=SYSTEM, values={"code": "TEN", "name": "Ten", "percent": "10", "is_active": True}, at=clock.now
    )
    subscription = screens.start(("seat", "2"))
    status, _ = screens.call(
        "POST",
        f"subscriptions/{subscription}/change",
        {"when": "2026-04-01", "items": [{"price": "seat", "quantity": "3"}]},
    )
    assert status == 200
    browser, made = screens.staff.browser("billing"), Invoice.objects.count()
    if verb != "details":
        preview = words(browser.post(f"/subscriptions/{subscription}/preview/{verb}/", {**form, "version": "1"}))
        assert preview == "The preview waits: Somebody changed this since you opened it. Reload to see it."
    stale = browser.post(f"/subscriptions/{subscription}/{verb}/", {**form, "version": "1"})
    assert stale.status_code == 409
    assert f'value="{form.get("reason") or form.get("code") or form["name"]}"' in stale.content.decode()
    assert words(stale).count("Somebody changed this") == 1
    assert (Invoice.objects.count(), Subscription.objects.get().version) == (made, 2)
    if verb in ("pause", "cancel"):
        status, answer = screens.call(
            "POST", f"subscriptions/{subscription}/{verb}", {"when": "2026-04-20", "version": 1}
        )
        assert (status, answer["code"]) == (409, "stale")
    again = browser.post(f"/subscriptions/{subscription}/{verb}/", {**form, "version": "2"})
    assert again.status_code == 302, words(again)


def test_a_term_does_not_end_before_its_subscription_starts(screens: Screens) -> None:
    """Neither when it starts nor later; the first day itself is a term."""
    browser = screens.staff.browser("billing")
    form = {"items-0-price": "seat", "items-0-quantity": "1", "start": "2026-04-01", "committed_to": "2026-03-31"}
    refused = browser.post(f"/subscriptions/new/?account={screens.billing.acme}", form)
    assert (refused.status_code, Subscription.objects.count()) == (422, 0)
    assert "The term ends before the subscription starts." in words(refused)
    subscription = screens.start(("seat", "1"), committed_to="2026-04-01")
    details = {"name": "Desk", "committed_to": "2026-03-31", "version": "1"}
    refused = browser.post(f"/subscriptions/{subscription}/details/", details)
    assert refused.status_code == 422
    assert 'id="id-committed_to-problem"' in refused.content.decode()
    assert str(Subscription.objects.get().committed_to) == "2026-04-01"


def test_while_it_rests_nothing_is_to_be_billed_until_it_goes_on(screens: Screens, clock: Any) -> None:
    """The preview of a pause and the page after it tell a rest from an end."""
    subscription = screens.start(("seat", "2"))
    browser = screens.staff.browser("billing")
    form = {"mode": "skip", "when": "2026-04-16", "version": "1"}
    assert "Nothing until it goes on." in words(browser.post(f"/subscriptions/{subscription}/preview/pause/", form))
    ended = words(browser.post(f"/subscriptions/{subscription}/preview/cancel/", {**form, "credited": "yes"}))
    assert "Nothing more is to be billed." in ended
    assert browser.post(f"/subscriptions/{subscription}/pause/", form).status_code == 302
    assert "Nothing until it goes on." in words(browser.get(f"/subscriptions/{subscription}/"))


def test_an_empty_tab_says_what_belongs_there(screens: Screens) -> None:
    """Nothing parked is good news, no search without a match; a search without a match is one there too."""
    browser = screens.staff.browser("billing")
    assert "Nothing is parked" in words(browser.get("/subscriptions/?state=parked"))
    assert "Nothing matches" in words(browser.get("/subscriptions/?state=parked&q=desks"))
    assert "Nothing matches" in words(browser.get("/subscriptions/?state=ended"))


def test_the_queue_tells_a_draft_of_a_subscription_from_one_made_by_hand(screens: Screens, clock: Any) -> None:
    screens.policy(is_reviewed=True)
    screens.start(("seat", "2"))
    clock.set("2026-05-01")
    browser = screens.staff.browser("billing")
    browser.post("/billing-runs/")
    run_waiting_jobs()
    queue = words(browser.get("/review/"))
    assert "Acme AG From a subscription since May 1, 2026" in queue
    assert "By hand" not in queue


MANY = 40


def many_desks(count: int = MANY, **quantities: str) -> tuple[ItemOrder, ...]:
    """So many items of two each, unless ``desk3="7"`` says otherwise."""
    desks = [(n, item("seat", quantities.get(f"desk{n}", "2"))) for n in range(count)]
    return tuple(replace(desk, price_key=f"desk{n}", description=f"Desk {n}") for n, desk in desks)


def test_many_items_do_not_bury_what_comes(billing: Billing, staff: Staff, clock: Any) -> None:
    """Of forty items eight stand before the next bill, a list names three, and a phase says what changes."""
    subscription = billing.start(*many_desks(), title="Everything", committed_to=billing.on + timedelta(60))
    billing.on += timedelta(9)
    billing.change(subscription, *many_desks(39, desk3="7"))
    clock.set(billing.on)
    browser = staff.browser("billing")
    page = words(browser.get(f"/subscriptions/{subscription}/"))
    assert "next bill Feb 1, 2026" in page
    assert "Desk 7 €10.00 per unit monthly, in advance × 2 31 more items Desk 8" in page
    assert "31 more lines" in page
    phases = page.partition("Phases")[2].partition("Agreed")[0]
    first = "Desk 0 × 2, Desk 1 × 2, Desk 2 × 2, Desk 3 × 2, Desk 4 × 2 and 35 more"
    assert phases.strip() == (
        f"{first} Jan 1, 2026 until before Jan 10, 2026 Desk 3 × 7, was 2; Desk 39 ends now from Jan 10, 2026"
    )
    short = "Desk 0 × 2, Desk 1 × 2, Desk 2 × 2 and 36 more"
    for path in ("subscriptions/", "subscriptions/renewals/", f"subscriptions/{subscription}/change/"):
        assert short in words(browser.get(f"/{path}"))
    exported = browser.get("/subscriptions/?export=csv")
    assert b"Desk 38" in b"".join(exported.streaming_content if exported.streaming else [exported.content])


def test_a_run_names_the_accounts_that_it_held_back(screens: Screens, clock: Any) -> None:
    """Each once with its reason, in its currency; un-parked together one is back at the run, whose list stands still
    for whom it has nothing new.
    """
    first, second = screens.start(("hosting", "1")), screens.start(("yearly", "1"), start="2026-05-01")
    screens.policy(most_amount_a_day=Decimal("50.50"))
    clock.set("2026-05-01")
    browser = screens.staff.browser("billing")
    page = browser.post("/billing-runs/").headers["Location"]
    run_waiting_jobs()
    assert "Subscriptions billed 0 Parked 2" in (shown := words(browser.get(page)))
    assert shown.count("Acme AG 1,300 EUR in one day; more than 50.50 EUR is held back. 2 subscriptions") == 1
    asking = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "run-state"}
    assert "held-back" not in browser.get(f"{page}?held_back=2", **asking).content.decode()
    assert 'id="held-back" hx-swap-oob="true"' in browser.get(f"{page}?held_back=0", **asking).content.decode()
    back = browser.post("/subscriptions/unpark/", {"ids": [str(first), str(second)], "run": page.split("/")[-2]})
    assert back.headers["Location"] == page
    assert Subscription.objects.filter(parked_at=None).count() == 2


def test_a_change_to_no_items_is_refused(screens: Screens, clock: Any) -> None:
    """At the items, and nothing changes."""
    subscription = screens.start(("seat", "2"))
    browser = screens.staff.browser("billing")
    form = {"items-shown": "1", "when": "2026-04-16", "version": "1"}
    refused = browser.post(f"/subscriptions/{subscription}/change/", form)
    assert (refused.status_code, "To have nothing billed any more, end the subscription." in words(refused)) == (
        422,
        True,
    )
    assert Subscription.objects.get().version == 1


def test_a_subscription_without_items_says_so(screens: Screens, clock: Any) -> None:
    subscription = screens.start(("seat", "2"))
    clock.set("2026-04-16")
    browser = screens.staff.browser("billing")
    form = {"items-0-price": "seat", "items-0-quantity": "0", "when": "2026-04-16", "version": "1"}
    browser.post(f"/subscriptions/{subscription}/change/", form)
    page = words(browser.get(f"/subscriptions/{subscription}/"))
    assert "Items None: nothing recurs until it has some. Phases" in page
    assert "No items now from Apr 16, 2026" in page
