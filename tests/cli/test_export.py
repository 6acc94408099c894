"""An export holds every record that the actor may see, under ids that never change, and leaves nothing half-written."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from datetime import date
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from counterfoil.access.actors import Actor
from counterfoil.accounts.commands import add_account, install_defaults
from counterfoil.app.cli import main
from counterfoil.app.exporting import export_records
from counterfoil.core.errors import Conflict, NotAllowed, Refusal
from counterfoil.documents.commands import store_file
from counterfoil.plumbing.installation import establish
from counterfoil.plumbing.record_types import Kind, record_types

DAY = date(2026, 4, 1)
BILLING = Actor("user", None, "Greta", frozenset({"billing"}), "web")
SALES = Actor("user", None, "Tomás", frozenset({"sales"}), "web")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.django_db
def test_folder(tmp_path: Path, system_actor: Actor) -> None:
    """Each kind has a JSON Lines and a CSV file with the same records; documents lie beside them, whole."""
    install_defaults(actor=system_actor)
    address = {"kind": "invoice", "street": "Fjällvägen 1", "postcode": "837 52", "city": "Åre", "country": "SE"}
    parent = add_account(actor=system_actor, values={"legal_name": "Åre Snö AB", "addresses": [address]}, on=DAY)
    child = add_account(actor=system_actor, values={"legal_name": "=cmd|' /C calc'!A1", "parent": str(parent)}, on=DAY)
    stored = store_file(
        actor=system_actor, content=b"%PDF-1.7 \x00", name="a.pdf", media_type="application/pdf", see="invoicing.see"
    )
    target = tmp_path / "out" / "export"
    counts = export_records(system_actor, target)
    assert (counts["accounts.account"], counts["files"]) == (2, 1)
    rows = lines(target / "accounts.account.jsonl")
    assert [(row["id"], row["legal_name"], row["parent"]) for row in rows] == [
        (str(parent), "Åre Snö AB", None),
        (str(child), "=cmd|' /C calc'!A1", str(parent)),
    ]
    assert isinstance(rows[0]["addresses"], list)
    assert rows[0]["addresses"][0]["street"] == "Fjällvägen 1"
    with (target / "accounts.account.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["id"] for row in table] == [str(parent), str(child)]
    assert table[1]["legal_name"] == "'=cmd|' /C calc'!A1"
    (kept,) = lines(target / "files" / "files.jsonl")
    content = (target / "files" / f"{stored}.pdf").read_bytes()
    assert (kept["id"], kept["sha256"]) == (str(stored), hashlib.sha256(content).hexdigest())
    about = json.loads((target / "about.json").read_text())
    assert about["counts"] == dict(counts)
    assert about["not_visible"] == []
    assert list(tmp_path.joinpath("out").iterdir()) == [target]


@pytest.mark.django_db
def test_every_kind_can_be_exported(tmp_path: Path, system_actor: Actor) -> None:
    """Every kind of record there is has its files, with a heading for each of its fields."""
    counts = export_records(system_actor, tmp_path / "export")
    for described in record_types():
        assert counts[described.key] >= 0
        heading = (
            (tmp_path / "export" / f"{described.key}.csv").read_text(encoding="utf-8-sig").splitlines()[0].split(",")
        )
        # Defined references have a heading each, and here is none.
        named = {item.id for item in described.fields if item.kind is not Kind.DEFINED}
        assert named <= set(heading), described.key


@pytest.mark.django_db
def test_closed_fields_stay_closed(tmp_path: Path, system_actor: Actor) -> None:
    """A role without a field group exports records without its fields, and the export says which are missing."""
    add_account(actor=system_actor, values={"legal_name": "Acme"}, on=DAY)
    export_records(BILLING, tmp_path / "export", only=["accounts.account"], with_files=False)
    (row,) = lines(tmp_path / "export" / "accounts.account.jsonl")
    closed = json.loads((tmp_path / "export" / "about.json").read_text())["closed"]["accounts.account"]
    assert row["closed"] == closed
    assert set(closed) & set(row) == set()
    assert not (tmp_path / "export" / "files").exists()


@pytest.mark.django_db
def test_who_may_not(tmp_path: Path) -> None:
    """Who may not export gets nothing, not even a folder."""
    with pytest.raises(NotAllowed):
        export_records(SALES, tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_what_is_refused(tmp_path: Path, system_actor: Actor) -> None:
    """A target that exists is left alone, and an unknown kind is named; nothing is written."""
    (tmp_path / "there").mkdir()
    with pytest.raises(Conflict, match="exists already"):
        export_records(system_actor, tmp_path / "there")
    with pytest.raises(Refusal, match=r"no kind “accounts\.acount”"):
        export_records(system_actor, tmp_path / "new", only=["accounts.acount"])
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.django_db
def test_zip_by_command(tmp_path: Path, system_actor: Actor, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes a zip, prints the counts, and refuses to write over it."""
    establish(is_demo=False)
    add_account(actor=system_actor, values={"legal_name": "Acme"}, on=DAY)
    target = tmp_path / "all.zip"
    assert main(["export", str(target)]) == 0
    assert "         1  accounts.account\n" in capsys.readouterr().out
    with zipfile.ZipFile(target) as packed:
        assert json.loads(packed.read("accounts.account.jsonl"))["legal_name"] == "Acme"
    assert main(["export", str(target)]) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.django_db
def test_a_place_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says so in one line; nothing is written."""
    establish(is_demo=False)
    (tmp_path / "letter").write_text("no folder")
    target = tmp_path / "letter" / "all.zip"
    assert main(["export", str(target)]) == 1
    assert capsys.readouterr().err == f"{target} cannot be written: File exists.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


@pytest.mark.django_db
def test_statements_do_not_grow_with_rows(tmp_path: Path, system_actor: Actor) -> None:
    """Ten accounts are read with as many statements as one."""
    add_account(actor=system_actor, values={"legal_name": "Acme"}, on=DAY)
    with CaptureQueriesContext(connection) as one:
        export_records(system_actor, tmp_path / "one", only=["accounts.account"], with_files=False)
    for number in range(9):
        add_account(actor=system_actor, values={"legal_name": f"Customer {number}"}, on=DAY, accept_duplicates=True)
    with CaptureQueriesContext(connection) as ten:
        counts = export_records(system_actor, tmp_path / "ten", only=["accounts.account"], with_files=False)
    assert counts == {"accounts.account": 10}
    assert len(ten) == len(one)
