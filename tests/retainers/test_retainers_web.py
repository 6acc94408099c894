"""The pages and the API of retainers, time and expenses."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from retainers_world import Work, reviewed_draft, run

from counterfoil.invoicing import commands as invoicing
from counterfoil.invoicing.models import Invoice
from counterfoil.plumbing.jobs import run_waiting_jobs
from counterfoil.retainers.models import Expense, Retainer, TimeEntry
from staff import Browser, Program, Staff

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def web(work: Work, staff: Staff) -> Browser:
    return staff.browser("billing")


@pytest.fixture
def api(work: Work, staff: Staff) -> Program:
    return staff.program("billing")


def text(response: Any) -> str:
    """What a reader sees, with spaces squeezed."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def answer(response: Any, status: int = 200) -> Any:
    assert response.status_code == status, response.content
    return json.loads(response.content)


# Pages ----------------------------------------------------------------------------------------------------------------


def test_a_retainer_is_agreed_and_shows_its_burn_down(web: Browser, work: Work) -> None:
    """The form opens for an account; the page says of each period what was granted, used, expired and left."""
    assert "Acme AG" in web.get(f"/retainers/new/?account={work.acme}").content.decode()
    typed = {name: str(value) for name, value in work.retainer_values().items()}
    done = web.post("/retainers/new/", typed)
    retainer = Retainer.objects.get()
    assert (done.status_code, done["Location"]) == (302, f"/retainers/{retainer.pk}/")
    work.time("4", "2026-03-02", retainer=retainer.pk)
    work.time("3", "2026-03-20", retainer=retainer.pk, approved=False)
    shown = text(web.get(f"/retainers/{retainer.pk}/"))
    assert "1 entry waits for approval" in shown
    rows = re.findall(r'<tr>(<td class="title.*?)</tr>', web.get(f"/retainers/{retainer.pk}/").content.decode())
    figures = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).split()[-6:] for row in rows]
    assert figures[1:] == [
        ["–", "10", "4", "6", "0", "–"],
        ["–", "10", "0", "10", "0", "–"],
        ["–", "10", "0", "10", "0", "–"],
    ]
    assert "Support" in text(web.get("/retainers/"))


def test_a_refused_retainer_keeps_what_was_typed(web: Browser, work: Work) -> None:
    typed = {name: str(value) for name, value in work.retainer_values(roll_over="up_to").items()}
    refused = web.post("/retainers/new/", typed)
    assert refused.status_code == 422
    assert "Say how much rolls over at most." in text(refused)
    assert Retainer.objects.count() == 0


def test_time_is_entered_approved_and_billed(web: Browser, staff: Staff, work: Work) -> None:
    """Sales enters on the account, billing approves what is selected and bills; the draft opens."""
    sales = staff.browser("sales")
    typed = {"account": str(work.acme), "day": "2026-03-10", "hours": "1,5", "description": "Workshop", "rate": "100",
             "is_billable": "on"}  # fmt: skip
    assert sales.get(f"/time/new/?account={work.acme}").status_code == 200
    again = sales.post(f"/time/new/?account={work.acme}", {**typed, "again": "1"})
    assert again["Location"] == f"/time/new/?account={work.acme}"
    sales.post("/time/new/", {**typed, "description": "Call", "hours": "0.5"})
    assert TimeEntry.objects.values_list("person_name", flat=True).distinct().get() == "Sales Person"
    waiting = web.get("/time/?show=to_approve")
    assert "Workshop" in text(waiting)
    assert sales.post("/time/approve/", {"ids": [str(TimeEntry.objects.all()[0].pk)]}).status_code == 403
    ids = [str(one) for one in TimeEntry.objects.values_list("pk", flat=True)]
    done = web.post("/time/approve/", {"ids": ids})
    assert done["Location"] == "/time/?show=to_approve"
    assert "Nothing waits for approval" in text(web.get("/time/?show=to_approve"))
    billed = web.post("/time/bill/", {"account": str(work.acme)})
    invoice = Invoice.objects.get()
    assert billed["Location"] == f"/invoices/{invoice.pk}/"
    assert f"{invoice.net:.2f}" == "200.00"
    assert "Everything is billed" in text(web.get("/time/?show=unbilled"))
    assert "Billed on" in text(web.get(f"/time/{ids[0]}/"))


def test_everything_that_is_shown_is_approved(web: Browser, work: Work) -> None:
    """With “all”, the address says what; a filter keeps the other account's time as it is."""
    work.time("1", rate="1", approved=False)
    other = work.time("1", rate="1", approved=False, account=work.brent)
    web.post(f"/time/approve/?show=to_approve&account={work.acme}", {"all": "1"})
    assert TimeEntry.objects.get(pk=other).status == "entered"
    assert TimeEntry.objects.filter(status="approved").count() == 1


def test_an_expense_with_its_receipt_is_rejected_and_corrected(web: Browser, work: Work) -> None:
    """The reason stands on the page and on the form; the receipt comes back byte by byte, as a file to save."""
    typed = {"account": str(work.acme), "day": "2026-03-10", "amount": "42.50", "description": "Train",
             "is_billable": "on"}  # fmt: skip
    receipt = SimpleUploadedFile("train.pdf", b"%PDF-1.4 train", "application/pdf")
    web.post("/expenses/new/", {**typed, "receipt": receipt})
    expense = Expense.objects.get()
    file = web.get(f"/expenses/{expense.pk}/receipt/")
    assert (file.content, file["Content-Disposition"]) == (b"%PDF-1.4 train", 'attachment; filename="train.pdf"')
    refused = web.post("/expenses/reject/", {"ids": str(expense.pk), "one": str(expense.pk), "reason": " "})
    assert (refused.status_code, "Say what is wrong with it." in text(refused)) == (422, True)
    web.post("/expenses/reject/", {"ids": str(expense.pk), "one": str(expense.pk), "reason": "Without tax, please"})
    assert "Without tax, please" in text(web.get(f"/expenses/{expense.pk}/edit/"))
    web.post(f"/expenses/{expense.pk}/edit/", {**typed, "amount": "35.71", "version": "2"})
    expense.refresh_from_db()
    assert (expense.status, f"{expense.amount:.2f}") == ("entered", "35.71")


def test_an_approved_entry_is_not_billed_and_then_billed_after_all(web: Browser, staff: Staff, work: Work) -> None:
    """Without a reason nothing happens; with one it stands on the page; sales may look and not decide."""
    entry = work.time("1", rate="100")
    train = work.expense("42.50")
    given = {"ids": str(entry), "one": str(entry)}
    assert "Do not bill…" in text(web.get(f"/time/{entry}/"))
    assert "Do not bill…" not in text(staff.browser("sales").get(f"/time/{entry}/"))
    assert staff.browser("sales").post("/time/waive/", {**given, "reason": "Good will"}).status_code == 403
    refused = web.post("/time/waive/", {**given, "reason": " "})
    assert (refused.status_code, "Say why it is not billed." in text(refused)) == (422, True)
    assert work.states() == ["approved 0", "approved 0"]
    assert web.post("/time/waive/", {**given, "reason": "Good will"})["Location"] == f"/time/{entry}/"
    assert "Will not be billed: Good will" in text(web.get(f"/time/{entry}/"))
    web.post("/expenses/waive/", {"ids": str(train), "one": str(train), "reason": "Ours"})
    assert work.states() == ["waived 0", "waived 0"]
    assert "Everything is billed" in text(web.get("/time/?show=unbilled"))
    assert web.post("/time/restore/", given)["Location"] == f"/time/{entry}/"
    web.post("/expenses/restore/", {"ids": str(train), "one": str(train)})
    assert work.states() == ["approved 0", "approved 0"]


def test_what_is_off_its_draft_says_so(web: Browser, work: Work) -> None:
    entry = work.time("1", rate="100")
    draft = work.bill().invoice_ids[0]
    invoicing.discard_draft(actor=work.bea, invoice_id=draft, version=None)
    run_waiting_jobs()
    assert "Nothing bills it by itself: Bill unbilled takes it along." in text(web.get(f"/time/{entry}/"))
    assert "off its draft" in text(web.get("/time/?show=unbilled"))


def test_the_panel_of_an_account(web: Browser, work: Work) -> None:
    retainer = work.retainer()
    work.time("4", "2026-03-02", retainer=retainer)
    panel = text(web.get(f"/accounts/{work.acme}/retainers/"))
    assert "Support" in panel
    assert "Bill 1 unbilled" in panel


def test_retiring_needs_a_day(web: Browser, work: Work) -> None:
    retainer = work.retainer()
    assert web.post(f"/retainers/{retainer}/retire/", {"ends_on": ""}).status_code == 422
    assert web.post(f"/retainers/{retainer}/retire/", {"ends_on": "2026-13-01"}).status_code == 422
    far = web.post(f"/retainers/{retainer}/retire/", {"ends_on": "9999-12-31"})
    assert (far.status_code, "Give a day from 2000 to 2199." in text(far)) == (422, True)
    assert web.post(f"/retainers/{retainer}/retire/", {"ends_on": "2026-04-01"}).status_code == 302
    assert "Ended" in text(web.get(f"/retainers/{retainer}/"))
    assert "Support" in text(web.get("/retainers/?ended=1"))


def test_a_page_that_is_out_of_date_saves_nothing_however_often_it_is_sent(web: Browser, work: Work) -> None:
    """What somebody else saved meanwhile is not overwritten by sending the refused form once more."""
    retainer, entry = work.retainer(), work.time("1", rate="1", approved=False)
    change = {"title": "Care", "version": "1"}
    assert web.post(f"/retainers/{retainer}/edit/", change).status_code == 302
    entered = {"account": str(work.acme), "day": "2026-03-10", "hours": "2", "description": "Call", "rate": "1"}
    assert web.post(f"/time/{entry}/edit/", {**entered, "version": "1"}).status_code == 302
    for path, typed in (
        (f"/retainers/{retainer}/edit/", {"title": "Other", "version": "1"}),
        (f"/time/{entry}/edit/", {**entered, "description": "Other", "version": "1"}),
    ):
        stale = web.post(path, typed)
        page = stale.content.decode()
        assert (stale.status_code, 'value="Other"' in page) == (409, True)
        assert 'name="version" value="1"' in page
        assert "What you typed is still here. Open it afresh" in text(stale)
        assert web.post(path, typed).status_code == 409


def test_a_reason_that_is_refused_stays_in_its_box(web: Browser, work: Work) -> None:
    entered, approved = work.time("1", rate="1", approved=False), work.time("1", rate="1")
    for verb, entry in (("reject", entered), ("waive", approved)):
        refused = web.post(f"/time/{verb}/", {"ids": str(entry), "one": str(entry), "reason": "r" * 301})
        assert refused.status_code == 422
        assert f'value="{"r" * 301}"' in refused.content.decode()


def test_nonsense_in_the_address(web: Browser, work: Work) -> None:
    for path in ("/time/?show=nothing&account=x&page=-1", "/retainers/?account=x", "/expenses/?day_from=never"):
        assert web.get(path).status_code == 200, path
    for path in ("/time/new/?account=x", "/time/new/?retainer=x"):
        assert web.get(path).status_code == 404, path


# The API --------------------------------------------------------------------------------------------------------------


def test_the_whole_way_on_the_api(api: Program, work: Work) -> None:
    """Agreed, entered, approved, billed, read back, once more without effect."""
    values = {**work.retainer_values(), "account": str(work.acme)}
    retainer = answer(api("POST", "retainers", values), 201)
    assert (retainer["amount"], retainer["currency"], retainer["burn"][0]["granted"]) == ("10.0000", "EUR", "10.0000")
    entry = answer(
        api("POST", "time", {"account": str(work.acme), "retainer": retainer["id"], "day": "2026-03-10",
                             "hours": "12", "description": "Work"}),
        201,
    )  # fmt: skip
    expense = answer(
        api("POST", "expenses", {"account": str(work.acme), "day": "2026-03-10", "amount": "9.99", "description": "x"}),
        201,
    )
    assert answer(api("POST", "entries/approve", {"time": [entry["id"]], "expenses": [expense["id"]]})) == {"count": 2}
    assert api("PATCH", f"time/{entry['id']}", {"hours": "1"}).status_code == 409
    billed = answer(api("POST", "entries/bill", {"accounts": [str(work.acme)]}))
    assert (billed["entries"], billed["covered"], len(billed["invoices"])) == (2, 0, 1)
    settled = answer(api("GET", f"time/{entry['id']}"))
    assert (settled["status"], settled["invoice_id"]) == ("settled", billed["invoices"][0])
    assert answer(api("POST", "entries/bill")) == {"invoices": [], "entries": 0, "covered": 0}
    found = answer(api("GET", f"retainers/{retainer['id']}"))
    march = {name: Decimal(found["burn"][2][name]) for name in ("granted", "used", "expired", "left", "overage")}
    assert march == {"granted": 10, "used": 10, "expired": 0, "left": 0, "overage": 2}
    assert [one["id"] for one in answer(api("GET", "time?status=settled"))["items"]] == [entry["id"]]
    assert answer(api("GET", f"expenses?account={UUID(int=1)}"))["items"] == []


def test_not_billed_and_billed_after_all_on_the_api(api: Program, work: Work) -> None:
    entry = str(work.time("1", rate="100"))
    assert answer(api("POST", "entries/waive", {"time": [entry], "reason": "Good will"})) == {"count": 1}
    read = answer(api("GET", f"time/{entry}"))
    assert (read["status"], read["reason"], read["held_at"]) == ("waived", "Good will", None)
    refused = answer(api("POST", "entries/waive", {"time": [entry], "reason": "Twice"}), 409)
    assert (refused["code"], refused["problems"][0]["field"]) == ("not_approved", entry)
    assert answer(api("POST", "entries/restore", {"time": [entry]})) == {"count": 1}
    assert answer(api("POST", "entries/waive", {"time": [entry], "reason": ""}), 422)["code"]
    assert answer(api("GET", f"time/{entry}"))["status"] == "approved"


def test_the_api_names_what_it_refuses(api: Program, work: Work) -> None:
    refused = answer(api("POST", "time", {"account": str(work.acme), "day": "2026-03-10", "hours": "25"}), 422)
    assert {(one["field"], one["code"]) for one in refused["problems"]} == {
        ("hours", "too_large"), ("description", "missing"),
    }  # fmt: skip
    assert api("POST", "entries/approve", {"time": [str(UUID(int=1))]}).status_code == 404
    assert TimeEntry.objects.count() == 0


# A draft that holds time ----------------------------------------------------------------------------------------------


def sent_lines(api: Program, draft: UUID) -> list[dict[str, Any]]:
    """The lines of a draft as a program reads them, with what it may send back."""
    names = ("id", "description", "detail", "quantity", "unit", "unit_price", "service_from", "service_to")
    lines = answer(api("GET", f"invoices/{draft}"))["lines"]
    return [{name: line[name] for name in names} for line in lines]


def test_a_program_names_the_lines_that_stay(api: Program, work: Work) -> None:
    """A goes, B becomes two hours and a half: A waits for a person, and the next run bills nothing of both."""
    draft = reviewed_draft(work)
    basic, _, second = sent_lines(api, draft)
    changed = answer(api("PATCH", f"invoices/{draft}", {"lines": [basic, {**second, "quantity": "2.5"}]}))
    assert [line["id"] for line in changed["lines"]] == [basic["id"], second["id"]]
    run_waiting_jobs()
    assert dict(TimeEntry.objects.values_list("description", "status")) == {"A": "approved", "B": "settled"}
    run(date(2026, 5, 1))
    assert work.lines() == ["Basic 1 × 100 = 100.00", "B 2.5 × 100 = 250.00", "Basic 1 × 100 = 100.00"]
    work.bill()
    assert work.lines().count("A 2 × 100 = 200.00") == 1


def test_a_new_line_takes_nobodys_place(api: Program, work: Work) -> None:
    """What is typed where A stood is a line of its own; B, typed anew as it was, is found without its id."""
    draft = reviewed_draft(work)
    basic, first, second = sent_lines(api, draft)
    setup = {"description": "Set-up", "quantity": "1", "unit_price": "500"}
    del second["id"]
    changed = answer(api("PATCH", f"invoices/{draft}", {"lines": [basic, setup, second]}))
    assert first["id"] not in [line["id"] for line in changed["lines"]]
    run_waiting_jobs()
    assert dict(TimeEntry.objects.values_list("description", "status")) == {"A": "approved", "B": "settled"}


def test_ids_that_name_no_line_are_refused(api: Program, work: Work) -> None:
    """Unknown, of another draft, twice, no id at all, or on a draft that is made: each at its path, nothing changed."""
    draft = reviewed_draft(work)
    basic, first, second = sent_lines(api, draft)
    work.time("1", rate="1", account=work.brent)
    strange = sent_lines(api, work.bill().invoice_ids[0])[0]["id"]
    before = (work.counts(), work.lines())
    for name in (str(work.acme), strange, basic["id"], "x"):
        refused = answer(api("PATCH", f"invoices/{draft}", {"lines": [basic, {**first, "id": name}, second]}), 422)
        assert [(one["field"], one["code"]) for one in refused["problems"]] == [("lines.1.id", "no_such_line")]
    made = {"account": str(work.acme), "lines": [first]}
    refused = answer(api("POST", "invoices", made), 422)
    assert [(one["field"], one["code"]) for one in refused["problems"]] == [("lines.0.id", "no_such_line")]
    assert (work.counts(), work.lines()) == before


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_changed_line_without_any_id_is_not_guessed(api: Program, work: Work, is_edited: bool) -> None:
    """It may be B or a new line: refused at its path, also after a person wrote on B, and nothing changed."""
    draft = reviewed_draft(work)
    lines = sent_lines(api, draft)
    if is_edited:
        lines[2]["detail"] = "On site"
        answer(api("PATCH", f"invoices/{draft}", {"lines": lines}))
    before = (work.counts(), work.lines())
    unnamed = [{name: value for name, value in line.items() if name != "id"} for line in lines]
    refused = answer(api("PATCH", f"invoices/{draft}", {"lines": [*unnamed[:2], {**unnamed[2], "quantity": "2"}]}), 422)
    assert [(one["field"], one["code"]) for one in refused["problems"]] == [("lines.2.id", "missing")]
    assert (work.counts(), work.lines()) == before
