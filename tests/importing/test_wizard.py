"""The import wizard as people and programs use it: file, columns, values, dry run, load, undo."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from counterfoil.accounts.models import Account
from counterfoil.importing.models import Batch
from counterfoil.plumbing.jobs import run_waiting_jobs
from staff import Staff

pytestmark = pytest.mark.django_db
THREE = (
    "Company;Website;Country\nNordwind AG;nordwind.example;Germany\nÄpfel & Birnen;;Atlantis\n;nobody.example;France\n"
)


@pytest.fixture
def browser(staff: Staff) -> Client:
    return staff.browser("admin")


def upload(
    browser: Client, content: str | bytes, name: str = "list.csv", kind: str = "accounts.account"
) -> HttpResponse:
    raw = content.encode() if isinstance(content, str) else content
    return browser.post("/import/", {"file": SimpleUploadedFile(name, raw), "kind": kind})


def address_of(answer: HttpResponse) -> str:
    """The import's page, from the answer to its upload."""
    assert answer.status_code == 302, answer.content[:2000]
    return re.sub(r"columns/$", "", answer.headers["Location"])


def match(browser: Client, at: str) -> None:
    """Take the columns as they were guessed."""
    page = browser.get(f"{at}columns/").content.decode()
    chosen = dict(re.findall(r'<select[^>]*name="(column-\d+)".*?<option value="([^"]+)" selected', page, re.S))
    assert browser.post(f"{at}columns/", chosen).status_code == 302
    run_waiting_jobs()


def text(browser: Client, at: str) -> str:
    return re.sub(r"\s+", " ", browser.get(at).content.decode())


def test_rows_after_no_number_are_the_first(browser: Client) -> None:
    """A page that is asked for what comes after something else than a row shows the first rows."""
    at = address_of(upload(browser, THREE))
    match(browser, at)
    first = re.findall(r"Nordwind AG", browser.get(at).content.decode())
    assert first
    for after in ("\u00b2", "\u0661", "-1", "9" * 30):
        answer = browser.get(at, {"after": after})
        assert (answer.status_code, re.findall(r"Nordwind AG", answer.content.decode())) == (200, first)


def test_a_file_from_upload_to_undo(browser: Client) -> None:
    """One row is new, one asks what its country is, one has no name; what loads is loaded, and undone as a whole."""
    at = address_of(upload(browser, THREE))
    match(browser, at)
    batch = Batch.objects.get()
    assert (batch.state, Account.objects.count()) == ("checked", 0)
    assert "Atlantis" in text(browser, f"{at}values/")
    assert browser.post(f"{at}values/", {"value-0": "-"}).status_code == 302
    run_waiting_jobs()
    assert "Äpfel &amp; Birnen" in text(browser, at)
    assert browser.post(f"{at}load/").status_code == 302
    run_waiting_jobs()
    assert sorted(Account.objects.values_list("legal_name", flat=True)) == ["Nordwind AG", "Äpfel & Birnen"]
    left_out = b"".join(browser.get(f"{at}errors.csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert "nobody.example" in left_out
    assert "Nordwind" not in left_out
    assert browser.post(f"{at}undo/").status_code == 302
    run_waiting_jobs()
    assert Account.objects.count() == 0
    assert Batch.objects.get().state == "undone"


def test_every_control_looks_like_the_others(browser: Client) -> None:
    """Each step's fields and menus are the product's own, not the browser's."""
    at = address_of(upload(browser, THREE))
    match(browser, at)
    for address in ("/import/", f"{at}columns/", f"{at}values/"):
        page = browser.get(address).content.decode()
        controls = re.findall(r'<select[^>]*>|<input(?=[^>]*type="(?:text|file)")[^>]*>', page.split("<main")[1])
        assert controls, address
        assert [one for one in controls if 'class="input"' not in one] == [], address


def test_the_same_file_again_changes_nothing(browser: Client) -> None:
    """Loaded twice, the second dry run finds only what is there."""
    for _ in range(2):
        at = address_of(upload(browser, "Company\nNordwind AG\n"))
        match(browser, at)
        browser.post(f"{at}load/")
        run_waiting_jobs()
    assert Account.objects.count() == 1


def test_an_upload_that_was_discarded_is_gone(browser: Client) -> None:
    at = address_of(upload(browser, THREE))
    assert browser.post(f"{at}discard/").status_code == 302
    assert browser.get(at).status_code == 404
    assert Account.objects.count() == 0


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 400_000_000)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", lambda: b""),
        ("zeros.csv", lambda: b"Company\x00\nA\x00B\n\x00\x00\x00"),
        ("picture.csv", lambda: bytes(range(256)) * 40),
        ("bomb.xlsx", bomb),
        ("broken.xlsx", lambda: b"PK\x03\x04 no archive"),
        ("heading.csv", lambda: b"Company;Website\n"),
    ],
)
def test_a_file_that_cannot_be_read_says_so(browser: Client, name: str, content: Callable[[], bytes]) -> None:
    """No file that holds no rows of a table is kept, and the page says what is wrong with it."""
    answer = upload(browser, content(), name)
    assert answer.status_code in (409, 413, 422)
    assert 'class="problem"' in answer.content.decode() or 'role="alert"' in answer.content.decode()
    assert Batch.objects.count() == 0


def test_a_formula_stays_a_text(browser: Client) -> None:
    """A cell that a spreadsheet would run is a name like any other, and leaves as a text in the error file."""
    at = address_of(upload(browser, "Company;Country\n=cmd|' /C calc'!A0;Germany\n;=HYPERLINK(1)\n"))
    match(browser, at)
    browser.post(f"{at}values/", {"value-0": "-"})
    run_waiting_jobs()
    browser.post(f"{at}load/")
    run_waiting_jobs()
    assert Account.objects.get().legal_name == "=cmd|' /C calc'!A0"
    left_out = b"".join(browser.get(f"{at}errors.csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert "'=HYPERLINK(1)" in left_out


def test_rights(staff: Staff, browser: Client) -> None:
    """Who may not import sees no form, and is refused when asking all the same."""
    at = address_of(upload(browser, THREE))
    accountant = staff.browser("accountant")
    assert upload(accountant, THREE).status_code == 403
    assert accountant.post(f"{at}load/").status_code == 403
    assert Batch.objects.count() == 1


def test_the_api_takes_the_same_steps(staff: Staff) -> None:
    """Upload, match, load and undo as operations, each answering where the import stands."""
    program = staff.program("admin")
    client = Client(headers={"authorization": f"Bearer {program.key}"})
    file = SimpleUploadedFile("list.csv", THREE.encode())
    made = client.post("/api/v1/imports", {"file": file, "kind": "accounts.account"})
    assert made.status_code == 201, made.content
    at = f"imports/{made.json()['id']}"

    def ask(method: str, path: str, body: Any = None) -> Any:
        answer = program(method, path, body)
        assert answer.status_code < 300, answer.content
        run_waiting_jobs()
        return json.loads(answer.content) if answer.content else None

    mapping = {"Company": "legal_name", "Website": "website", "Country": "country"}
    ask("POST", f"{at}/columns", {"mapping": mapping})
    (asked,) = ask("GET", f"{at}/unknown-values")
    assert (asked["text"], asked["rows"]) == ("Atlantis", 1)
    ask("POST", f"{at}/values", {"meanings": {asked["field"]: {"Atlantis": ""}}})
    assert [row["action"] for row in ask("GET", f"{at}/rows")] == ["new", "new", "error"]
    ask("POST", f"{at}/load", {})
    assert ask("GET", at)["state"] == "loaded"
    assert Account.objects.count() == 2
    ask("POST", f"{at}/undo", {})
    assert (ask("GET", at)["state"], Account.objects.count()) == ("undone", 0)
    wrong = program("POST", f"{at}/columns", {"mapping": {"No such": "legal_name"}})
    assert wrong.status_code in (409, 422)
