"""The customer's page of a retainer: what it shows, to whom, and the link that opens it."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from io import StringIO
from logging.config import DictConfigurator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import OperationalError, ProgrammingError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from gunicorn.config import Config
from gunicorn.glogging import Logger
from retainers_world import SYSTEM, Work, make_work

from counterfoil.access.models import Change
from counterfoil.accounts import commands as accounts
from counterfoil.app.logs import leave_out_secrets
from counterfoil.core.errors import NotAllowed, NotFound
from counterfoil.documents.wording import LANGUAGES
from counterfoil.plumbing import clock
from counterfoil.plumbing.models import IdempotencyKey, OutboxEvent
from counterfoil.retainers import commands, queries
from counterfoil.retainers import shared as sharing_shared
from counterfoil.retainers.models import RetainerLink
from counterfoil.retainers.shared import retainer_behind
from counterfoil.retainers.web import sharing
from counterfoil.subscriptions.models import Subscription
from staff import Browser, Program, Staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("last_of_march")]


@pytest.fixture
def last_of_march() -> Iterator[None]:
    with clock.stopped_at(datetime(2026, 3, 31, 12, tzinfo=UTC)):
        yield


@pytest.fixture
def anybody(work: Work, staff: Staff) -> Browser:
    """Somebody who is not logged in."""
    return staff.browser()


def shared(work: Work, retainer: Any) -> str:
    """The address of a new link."""
    return f"/burn-down/{commands.share_retainer(actor=work.bea, retainer_id=retainer, at=work.at)}/"


def text(response: Any) -> str:
    """What a reader sees, with spaces squeezed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def worked(work: Work, **more: Any) -> Any:
    """Ten hours a month, of which January used 4, February 12, and March 2.5 so far; more waits or was rejected."""
    retainer = work.retainer(roll_over="periods", rolled_periods="1", price="900", **more)
    work.time("4", "2026-01-10", retainer=retainer, description="Portal moved", rate="77.77")
    work.time("12", "2026-02-10", retainer=retainer, description="Data cleaned")
    work.time("2.5", "2026-03-10", retainer=retainer, description="Report written")
    work.time("3", "2026-03-11", retainer=retainer, description="Waits for approval", approved=False)
    work.time("1", "2026-03-12", retainer=retainer, description="Own training", is_billable=False)
    rejected = work.time("1", "2026-03-13", retainer=retainer, description="Rejected", approved=False)
    commands.reject_entries(actor=work.bea, time_ids=[rejected], reason="Not theirs", at=work.at)
    return retainer


def test_the_customer_sees_the_burn_down(anybody: Browser, work: Work) -> None:
    """The periods with the newest first, and what was approved: its day, what for, and how many hours."""
    page = anybody.get(shared(work, worked(work)))
    assert page.status_code == 200
    shown = text(page)
    assert "Counterfoil Works GmbH for Acme AG Support 11.5 h left until the end of March 31, 2026" in shown
    rows = [text_of(row) for row in re.findall(r"<tr>(<td.*?)</tr>", page.content.decode())]
    assert rows == [
        "Mar 1 – 31, 2026 4 10 2.5 – 11.5 –",
        "Feb 1 – 28, 2026 6 10 12 – 4 –",
        "Jan 1 – 31, 2026 – 10 4 – 6 –",
        "Report written Mar 10, 2026 2.5",
        "Data cleaned Feb 10, 2026 12",
        "Portal moved Jan 10, 2026 4",
    ]


def test_what_went_beyond_is_said_above_the_figures(anybody: Browser, work: Work) -> None:
    """Twelve hours of ten: two are beyond. Within it nothing is said of that."""
    retainer = work.retainer()
    work.time("10", "2026-03-10", retainer=retainer)
    assert "Beyond:" not in text(anybody.get(shared(work, retainer)))
    work.time("2", "2026-03-11", retainer=retainer)
    shown = text(anybody.get(shared(work, retainer)))
    assert "0 h left until the end of March 31, 2026 Beyond: 2 h As of" in shown


def text_of(row: str) -> str:
    return re.sub(r"[\s\u2009\u202f]+", " ", re.sub(r"<[^>]+>", " ", row)).strip()


def test_it_shows_nothing_that_is_ours(anybody: Browser, work: Work) -> None:
    """No prices, no people, nothing that waits, was rejected, or is not theirs to pay; no script, no form, no link."""
    html = anybody.get(shared(work, worked(work))).content.decode()
    for ours in ("77", "120", "900", "Sam", "Bea", "Waits", "Rejected", "Not theirs", "Own training", "EUR"):
        assert ours not in re.sub(r"<link[^>]+>", "", html), ours
    assert not re.search(r"<script|<form|<a |csrf", html)


def test_nobody_keeps_or_passes_on_the_address(anybody: Browser, work: Work) -> None:
    """The page and its refusal say so alike: no index, no referrer, no cache, no cookie."""
    address = shared(work, work.retainer())
    for answer in (anybody.get(address), anybody.get("/burn-down/unknown/")):
        assert answer["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["Cache-Control"] == "no-store"
        assert not answer.cookies
        assert '<meta name="robots" content="noindex, nofollow, noarchive">' in answer.content.decode()
        assert '<meta name="referrer" content="no-referrer">' in answer.content.decode()
    assert "script-src 'self'" in anybody.get(address)["Content-Security-Policy"]


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What is written to the log of the server, by a handler as the settings describe it."""
    (described,) = settings.LOGGING["handlers"].values()
    written = StringIO()
    handler = logging.StreamHandler(written)
    line = dict(settings.LOGGING["formatters"][described["formatter"]])
    handler.setFormatter(DictConfigurator(settings.LOGGING).configure_formatter(line))
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def test_no_secret_reaches_the_log(
    anybody: Browser, work: Work, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of a wrong method, of a near miss, of a page that fails or of a database that does not answer."""
    address = shared(work, work.retainer())
    secret = address.split("/")[2]
    for wrong in (address, address[:-1]):
        assert anybody.post(wrong).status_code == 405
    assert anybody.get(f"/burn-down/{secret[:-1]}/").status_code == 404
    assert anybody.get(f"/burn-down/{secret}/more/").status_code == 404
    assert anybody.get(f"/burndown/{secret}/").status_code == 404
    assert anybody.get(f"/password/{uuid4()}/{secret[:-3]}/more/").status_code == 404

    def fails(_: str, at: datetime) -> None:
        raise OperationalError(f"no answer to /burn-down/{secret}/")

    monkeypatch.setattr(sharing, "retainer_behind", fails)
    assert anybody.get(address).status_code == 503
    lines = log.getvalue()
    assert secret[:-3] not in lines
    for line in ("/burn-down/…/", "/burn-down/…/more/", "/burndown/…/", "did not answer: GET /burn-down/…/"):
        assert line in lines, line
    assert re.search(r"/password/[0-9a-f-]{36}/…/more/", lines)


def test_no_secret_reaches_the_log_of_the_web_server(work: Work) -> None:
    """Its lines are written by handlers of its own, and stay as they are otherwise."""
    server = Logger(Config())
    written = StringIO()
    for handler in server.error_log.handlers:
        handler.setStream(written)
    leave_out_secrets(server.error_log, server.access_log)
    server.error("Error handling request %s", shared(work, work.retainer()))
    server.error_log.handlers.clear()
    assert re.fullmatch(r"\[[^]]+\] \[\d+\] \[ERROR\] Error handling request /burn-down/…/\n", written.getvalue())


def test_the_address_without_its_slash_opens_the_page(anybody: Browser, work: Work) -> None:
    """It is not sent on, and so kept by nobody."""
    address = shared(work, work.retainer())
    answer = anybody.get(address[:-1])
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert answer.content == anybody.get(address).content


def test_what_opens_nothing_looks_alike(anybody: Browser, work: Work) -> None:
    """Unknown, revoked, made anew, too short, too long, with foreign characters: one and the same answer."""
    retainer = work.retainer()
    first = shared(work, retainer)
    second = shared(work, retainer)
    assert anybody.get(second).status_code == 200
    commands.unshare_retainer(actor=work.bea, retainer_id=retainer, at=work.at)
    secret = second.split("/")[2]
    addresses = [
        first, second, f"/burn-down/{'A' * 43}/", "/burn-down/x/", f"/burn-down/{secret}A/",
        f"/burn-down/{secret[:-1]}/",
        f"/burn-down/{secret.swapcase()}/", "/burn-down/%C3%A4%F0%9F%98%80/", f"/burn-down/{'A' * 5000}/",
        f"/burn-down/{uuid4()}/", "/burn-down/' OR 1=1 --/",
    ]  # fmt: skip
    answers = {(one.status_code, one.content) for one in map(anybody.get, addresses)}
    assert len(answers) == 1
    assert answers.pop()[0] == 404


def test_whoever_asks_again_and_again_costs_one_read(anybody: Browser, work: Work) -> None:
    """For half a minute the page is as it was worked out; the end of the link is seen at once."""
    retainer = worked(work)
    address = shared(work, retainer)
    first = anybody.get(address)
    work.time("1", "2026-03-20", retainer=retainer, description="Just approved")
    with CaptureQueriesContext(connection) as statements:
        assert [anybody.get(address).content for _ in range(3)] == [first.content] * 3
    assert len([one for one in statements if "retainers_retainerlink" in one["sql"]]) == len(statements) == 3
    with clock.stopped_at(datetime(2026, 3, 31, 12, 0, 29, tzinfo=UTC)):
        assert anybody.get(address).content == first.content
    with clock.stopped_at(datetime(2026, 3, 31, 12, 0, 30, tzinfo=UTC)):
        assert "Just approved" in text(anybody.get(address))
        commands.unshare_retainer(actor=work.bea, retainer_id=retainer, at=work.at)
        assert anybody.get(address).status_code == 404


def test_requests_at_once_work_it_out_once(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight at the same moment: one works it out, the others get what it found."""
    work = make_work()
    address = shared(work, worked(work))
    worked_out = []
    real = sharing_shared._worked_out

    def counted(retainer_id: UUID) -> Any:
        worked_out.append(retainer_id)
        return real(retainer_id)

    monkeypatch.setattr(sharing_shared, "_worked_out", counted)
    together = threading.Barrier(8, timeout=60)

    def ask(_: int) -> Any:
        try:
            together.wait()
            return retainer_behind(address.split("/")[2], work.at)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert (len(worked_out), {one.title for one in found}) == (1, {"Support"})


def test_a_link_opens_one_retainer(anybody: Browser, work: Work) -> None:
    """Each link shows its own retainer; the one of another customer stays closed."""
    acme, brent = work.retainer(), work.retainer("20", account=work.brent, title="Second line")
    address = shared(work, acme)
    shown = text(anybody.get(address))
    assert "Acme AG" in shown
    assert "Brent" not in shown
    assert "Second line" not in shown
    assert queries.get_retainer(work.bea, brent, work.on).shared_at is None


def test_money_is_counted_as_money(anybody: Browser, work: Work) -> None:
    """Of a retainer of money the customer sees what each entry used of it, and neither hours nor rates."""
    retainer = work.retainer("1000", unit="money", overage_rate=None)
    work.time("3", retainer=retainer, rate="110", description="Workshop")
    work.expense("84.20", "2026-03-11", retainer=retainer)
    page = anybody.get(shared(work, retainer))
    assert "585.80 EUR left until the end of March 31, 2026" in text(page)
    rows = [text_of(row) for row in re.findall(r"<tr>(<td.*?)</tr>", page.content.decode())]
    assert rows[0] == "Mar 1 – 31, 2026 – 1,000.00 414.20 – 585.80 –"
    assert rows[3:] == ["Train Mar 11, 2026 84.20", "Workshop Mar 10, 2026 330.00"]
    assert "110" not in page.content.decode()


@pytest.mark.parametrize(
    ("language", "left", "lang"),
    [
        ("de", "17,5 h übrig bis zum Ende des 31. März 2026", "de-DE"),
        ("fr", "17,5 h restants jusqu’à la fin du 31 mars 2026", "fr"),
        ("ja", "17.5 h left until the end of March 31, 2026", "en"),
    ],
)
def test_it_speaks_the_language_of_the_customer(
    anybody: Browser, work: Work, language: str, left: str, lang: str
) -> None:
    """As its invoices do: words, dates and numbers; English where there are no words."""
    accounts.change_account(actor=SYSTEM, account_id=work.acme, values={"language": language}, version=None)
    retainer = work.retainer("20")
    work.time("2.5", retainer=retainer)
    page = anybody.get(shared(work, retainer))
    assert left in text_of(page.content.decode())
    assert f'<html lang="{lang}"' in page.content.decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_fills_its_page(anybody: Browser, work: Work, language: str) -> None:
    accounts.change_account(actor=SYSTEM, account_id=work.acme, values={"language": language}, version=None)
    page = anybody.get(shared(work, worked(work)))
    assert page.status_code == 200
    assert "{" not in text(page)


def test_before_the_start_and_after_the_end(anybody: Browser, work: Work) -> None:
    """The first period is to come; or nothing is left any more, and what was can still be read."""
    later = shared(work, work.retainer(starts_on="2026-05-01"))
    assert "The first period begins on May 1, 2026." in text(anybody.get(later))
    ended = work.retainer(ends_on="2026-03-15")
    work.time("4", "2026-03-02", retainer=ended)
    shown = text(anybody.get(shared(work, ended)))
    assert "Ended on March 15, 2026: nothing is left." in shown
    assert "Work" in shown


# The link -------------------------------------------------------------------------------------------------------------


def test_the_link_is_made_renewed_and_closed_on_the_page(staff: Staff, work: Work) -> None:
    """Billing makes it and sees it once; the page says since when; a new one ends the old one."""
    web, anybody = staff.browser("billing"), staff.browser()
    retainer = work.retainer()
    page = f"/retainers/{retainer}/"
    assert "Not open." in text(web.get(page))
    made = web.post(f"{page}link/")
    (first,) = set(re.findall(r"http://testserver(/burn-down/[\w-]{43}/)", made.content.decode()))
    assert anybody.get(first).status_code == 200
    assert first not in web.get(page).content.decode()
    assert "Open since" in text(web.get(page))
    replaced = {"replaces": str(RetainerLink.objects.get().pk)}
    (second,) = set(re.findall(r"/burn-down/[\w-]{43}/", web.post(f"{page}link/", replaced).content.decode()))
    assert [anybody.get(one).status_code for one in (first, second)] == [404, 200]
    assert web.post(f"{page}link/revoke/")["Location"] == page
    assert anybody.get(second).status_code == 404
    assert "Not open." in text(web.get(page))


def test_a_repeated_wish_for_a_link_makes_no_other(staff: Staff, work: Work) -> None:
    """The page with the link is reloaded, or the first one is asked for in two windows: what was copied still opens."""
    web, anybody = staff.browser("billing"), staff.browser()
    retainer = work.retainer()
    page = f"/retainers/{retainer}/"

    def wish() -> dict[str, str]:
        (found,) = re.findall(r'name="replaces" value="([^"]*)"', web.get(page).content.decode())
        return {"replaces": found}

    assert "data-confirm" not in web.get(page).content.decode().partition("Make a link")[0].rpartition("<form")[2]
    for _ in range(2):
        values = wish()
        (made,) = set(re.findall(r"/burn-down/[\w-]{43}/", web.post(f"{page}link/", values).content.decode()))
        again = web.post(f"{page}link/", values)
        assert (again.status_code, anybody.get(made).status_code) == (409, 200)
        assert "No link was made" in text(again)
    assert web.post(f"{page}link/", {"replaces": "nonsense"}).status_code == 404
    assert web.get(page).content.decode().count("opens nothing any more.") == 2
    assert [link.revoked_at is None for link in RetainerLink.objects.order_by("created_at", "id")] == [False, True]
    assert web.post(f"{page}link/revoke/").status_code == 302
    assert web.post(f"{page}link/", values).status_code == 409
    assert RetainerLink.objects.filter(revoked_at=None).count() == 0


def test_only_who_may_agree_retainers_shares_them(staff: Staff, work: Work) -> None:
    """Sales and the accountant see the retainer and no button; what they ask for changes nothing."""
    retainer = work.retainer()
    for role in ("sales", "accountant"):
        browser = staff.browser(role)
        assert "Make a link" not in text(browser.get(f"/retainers/{retainer}/"))
        assert browser.post(f"/retainers/{retainer}/link/").status_code == 403
        assert staff.program(role)("POST", f"retainers/{retainer}/link").status_code == 403
    for actor in (work.sam, work.archie):
        with pytest.raises(NotAllowed):
            commands.share_retainer(actor=actor, retainer_id=retainer, at=work.at)
    assert RetainerLink.objects.count() == 0


def test_the_link_on_the_api(staff: Staff, work: Work) -> None:
    """The address is answered once; a repeated request does not make another one, and does not say it again."""
    api: Program = staff.program("billing")
    anybody = staff.browser()
    retainer = work.retainer()
    path = f"retainers/{retainer}/link"
    made = api("POST", path, idempotency_key="share-1")
    assert made.status_code == 201
    url = json.loads(made.content)["url"]
    assert anybody.get(url.removeprefix("http://testserver")).status_code == 200
    again = api("POST", path, idempotency_key="share-1")
    assert json.loads(again.content) == {"url": None}
    assert RetainerLink.objects.count() == 1
    assert url.split("/")[-2] not in IdempotencyKey.objects.get().body
    assert json.loads(api("GET", f"retainers/{retainer}").content)["shared_at"] is not None
    closed = api("POST", f"{path}/revoke")
    assert (closed.status_code, json.loads(closed.content)["shared_at"]) == (200, None)
    assert api("POST", f"{path}/revoke").status_code == 200
    assert api("POST", f"retainers/{uuid4()}/link").status_code == 404


def test_who_shared_it_is_written_down_and_the_secret_is_not(work: Work) -> None:
    """The audit trail and the timeline say who made and closed it; nothing in the database opens the page."""
    retainer = work.retainer()
    secret = commands.share_retainer(actor=work.bea, retainer_id=retainer, at=work.at)
    commands.unshare_retainer(actor=work.bea, retainer_id=retainer, at=work.at)
    commands.unshare_retainer(actor=work.bea, retainer_id=retainer, at=work.at)
    assert work.events()[-2:] == ["retainer_shared", "retainer_unshared"]
    changes = list(Change.objects.filter(table_name="retainers_retainerlink").order_by("id"))
    assert [(one.operation, one.context["actor"]) for one in changes] == [("insert", "Bea"), ("update", "Bea")]
    written = json.dumps([one.after for one in changes]) + json.dumps(
        list(OutboxEvent.objects.values_list("payload", flat=True))
    )
    link = RetainerLink.objects.get()
    assert secret not in written
    assert link.secret_hash not in written
    assert link.secret_hash != secret


def test_the_database_keeps_a_revoked_link_closed(work: Work) -> None:
    """What was revoked cannot be opened again, past every command."""
    retainer = work.retainer()
    commands.share_retainer(actor=work.bea, retainer_id=retainer, at=work.at)
    commands.unshare_retainer(actor=work.bea, retainer_id=retainer, at=work.at)
    with pytest.raises(ProgrammingError), transaction.atomic():
        RetainerLink.objects.update(revoked_at=None)
    assert RetainerLink.objects.get().revoked_at is not None
    with pytest.raises(NotFound):
        commands.share_retainer(actor=work.bea, retainer_id=uuid4(), at=work.at)


# On a subscription ----------------------------------------------------------------------------------------------------


def test_a_subscription_shows_what_joins_it(staff: Staff, work: Work) -> None:
    """The approved hours of its retainer stand beside what is billed next; those without one go elsewhere or wait."""
    retainer = work.retainer(price="900", starts_on=date(2026, 3, 1).isoformat())
    work.time("12", retainer=retainer, description="Migration")
    work.time("1", retainer=retainer, description="Not approved", approved=False)
    work.time("1", account=work.brent, rate="1", description="Of another account")
    subscription = queries.get_retainer(work.bea, retainer, work.on).subscription_id
    web = staff.browser("billing")
    assert f"/subscriptions/{subscription}/time/" in web.get(f"/subscriptions/{subscription}/").content.decode()
    panel = text(web.get(f"/subscriptions/{subscription}/time/"))
    assert "Migration" in panel
    assert "Not approved" not in panel
    assert "Of another account" not in panel
    Subscription.objects.filter(pk=subscription).update(po_number="PO 1")
    work.time("1", rate="1", description="Without a retainer")
    panel = text(web.get(f"/subscriptions/{subscription}/time/"))
    assert "Migration" in panel
    assert "Without a retainer" not in panel
    assert web.get(f"/subscriptions/{uuid4()}/time/").status_code == 404
