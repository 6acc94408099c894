"""Files are kept once, for good, and open only to whom they may."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from counterfoil.access.actors import Actor
from counterfoil.core.errors import NotAllowed, NotFound, Refusal
from counterfoil.documents.commands import MAX_BYTES, NewFile, file_name, store_file, store_files
from counterfoil.documents.models import StoredFile
from counterfoil.documents.queries import file_content

pytestmark = pytest.mark.django_db

PDF = b"%PDF-1.7 \x00\xff bytes"


def keep(actor: Actor, content: bytes = PDF, see: str = "invoicing.see", name: str = "Invoice 1.pdf") -> UUID:
    return store_file(actor=actor, content=content, name=name, media_type="application/pdf", see=see)


def statements(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return len(captured)


def test_what_was_stored_is_read(system_actor: Actor) -> None:
    """A stored file comes back byte for byte, with its name, type, size and hash."""
    file = file_content(system_actor, keep(system_actor))
    assert file.content == PDF
    assert (file.name, file.media_type, file.size) == ("Invoice 1.pdf", "application/pdf", len(PDF))
    assert file.sha256 == hashlib.sha256(PDF).hexdigest()


def test_the_same_content_is_kept_once(system_actor: Actor) -> None:
    """A content that is kept already keeps its id and first name; under another right it is a file of its own."""
    first = keep(system_actor)
    assert keep(system_actor, name="other.pdf") == first
    assert file_content(system_actor, first).name == "Invoice 1.pdf"
    assert keep(system_actor, see="mail.see") != first
    assert StoredFile.objects.count() == 2


def test_many_files_in_a_fixed_number_ofstatements(system_actor: Actor) -> None:
    """Ids come back in the order of the files, doubles included, and fifty files cost as many statements as two."""
    files = [NewFile(b"%d" % (number % 40), f"{number}.txt", "text/plain", "mail.see") for number in range(50)]
    with transaction.atomic():
        two = statements(lambda: store_files(actor=system_actor, files=files[:2]))
        fifty = statements(lambda: store_files(actor=system_actor, files=files))
    assert two == fifty
    ids = store_files(actor=system_actor, files=files)
    assert [file_content(system_actor, id).content for id in ids] == [file.content for file in files]
    assert ids[0] == ids[40]
    assert StoredFile.objects.count() == 40


def test_only_with_the_right_of_the_file(system_actor: Actor) -> None:
    """Without the file's permission it does not exist, as for an id that nobody has."""
    id = keep(system_actor, see="audit.see")
    seller = Actor("user", uuid4(), "Sales", frozenset({"sales"}))
    accountant = Actor("user", uuid4(), "Books", frozenset({"accountant"}))
    assert file_content(accountant, id).content == PDF
    for actor, wanted in ((seller, id), (Actor.nobody(), id), (system_actor, uuid4()), (system_actor, "no-id")):
        with pytest.raises(NotFound, match="does not exist"):
            file_content(actor, wanted)


def test_nobody_stores_a_file_by_hand(system_actor: Actor) -> None:
    """Storing as an act of its own is closed to sales; nothing is kept."""
    with pytest.raises(NotAllowed):
        keep(Actor("user", uuid4(), "Sales", frozenset({"sales"})))
    assert not StoredFile.objects.exists()


@pytest.mark.parametrize(("content", "code"), [(b"", "empty_file"), (b"x" * (MAX_BYTES + 1), "file_too_large")])
def test_files_that_are_refused(system_actor: Actor, content: bytes, code: str) -> None:
    """An empty file and one beyond the limit are refused by name, together with the files beside them."""
    good = NewFile(PDF, "a.pdf", "application/pdf", "mail.see")
    with pytest.raises(Refusal) as refused:
        store_files(actor=system_actor, files=[good, NewFile(content, "b", "x/y", "mail.see")])
    assert (refused.value.code, refused.value.field) == (code, "1.content")
    assert not StoredFile.objects.exists()


def test_an_unknown_right_is_a_bug(system_actor: Actor) -> None:
    """A file under a permission that does not exist could never be opened, so it is not stored."""
    with pytest.raises(ValueError, match="is no permission"):
        keep(system_actor, see="everyone")
    assert not StoredFile.objects.exists()


def test_a_file_never_changes(system_actor: Actor) -> None:
    """The database refuses to change or remove a file, whoever asks."""
    id = keep(system_actor)
    for change in (
        lambda: StoredFile.objects.filter(pk=id).update(name="x"),
        lambda: StoredFile.objects.filter(pk=id).delete(),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
    assert file_content(system_actor, id).content == PDF


@pytest.mark.parametrize("wrong", [{"sha256": "0" * 64}, {"size": 1}])
def test_the_database_checks_hash_and_size(wrong: dict[str, object]) -> None:
    """A row whose hash or size is not that of its content is refused by the database."""
    true = {"sha256": hashlib.sha256(PDF).hexdigest(), "size": len(PDF)}
    with pytest.raises(IntegrityError, match="true_"), transaction.atomic():
        StoredFile.objects.create(**{**true, **wrong}, media_type="a/b", name="a", see="mail.see", content=PDF)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Invoice NW/1.pdf", "Invoice NW_1.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\r\nb\x00.pdf", "ab.pdf"),
        ('"<x>|?*:\\".pdf', "__x_______.pdf"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("", "file"),
        ("...", "file"),
        ("株式会社.pdf", "株式会社.pdf"),
    ],
)
def test_names_of_files(name: str, kept: str) -> None:
    """A name is one that every file system and mail reader takes, and keeps its ending."""
    assert file_name(name) == kept
