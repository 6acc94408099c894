"""Names, codes and addresses are compared in a form without accidents of spelling."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterfoil.core.text import (
    email_domain,
    is_public_mail_domain,
    normalised_code,
    normalised_name,
    sort_key,
    whole_number,
)


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("Acme GmbH", "acme"),
        ("ACME  G.m.b.H.", "acme"),
        ("Acme S.A.", "acme"),
        ("Acme S.à r.l.", "acme"),
        ("Acme GmbH & Co. KG", "acme"),
        ("Acme Pty Ltd", "acme"),
        ("Acme Co., Ltd.", "acme"),
        ("Acme, Inc.", "acme"),
        ("Acme B.V.", "acme"),
        ("Foo Sp. z o.o.", "foo"),
        ("Novo Nordisk A/S", "novo nordisk"),
        ("Müller & Söhne AG", "muller and sohne"),
        ("Muller and Sohne", "muller and sohne"),
        ("Amazon.com, Inc.", "amazon com"),
        ("A.B. Smith Ltd", "ab smith"),
        ("O’Reilly Media", "oreilly media"),
        ("Łódź Størk Æther S.A.", "lodz stork aether"),
        ("株式会社サンプル", "サンプル"),
        ("㈱サンプル", "サンプル"),
        ("ドラゴン株式会社", "ドラゴン"),
        ("삼성전자 주식회사", "삼성전자"),
        ("ООО Ромашка", "ооо ромашка"),
        ("Ромашка ООО", "ромашка"),
        ("ＡＣＭＥ　ＧｍｂＨ", "acme"),
    ],
)
def test_normalised_name(name: str, result: str) -> None:
    """Case, accents, punctuation, spaces, full-width letters and legal forms at the end do not count."""
    assert normalised_name(name) == result


@pytest.mark.parametrize(
    ("name", "result"), [("AG", "ag"), ("Ltd Ltd", "ltd"), ("Company", "company"), ("株式会社", "株式会社")]
)
def test_a_name_never_vanishes(name: str, result: str) -> None:
    """A name that is nothing but a legal form keeps it."""
    assert normalised_name(name) == result


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(text: str) -> None:
    """Normal forms are stable for punctuation, case and spaces, whatever the text."""
    once = normalised_name(text)
    assert once == " ".join(once.split())
    assert unicodedata.is_normalized("NFC", once)
    assert normalised_code(normalised_code(text)) == normalised_code(text)


@pytest.mark.parametrize(
    ("text", "result"),
    [("de 123.456/789", "DE123456789"), (" HRB 12-34 ", "HRB1234"), ("ＤＥ１", "DE1"), ("", ""), ("–", "")],
)
def test_normalised_code(text: str, result: str) -> None:
    """Only letters and digits of a code count, in upper case."""
    assert normalised_code(text) == result


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("a@Example.COM", "example.com"),
        (" a@b@c.de. ", "c.de"),
        ("Ann <ann@x.org>", "x.org"),
        ("nobody", ""),
        ("@x.de", ""),
    ],
)
def test_email_domain(address: str, domain: str) -> None:
    """The domain stands behind the last @; without a name before it there is none."""
    assert email_domain(address) == domain


def test_public_mail_domains() -> None:
    """Mail providers open to anybody say nothing about a company."""
    assert is_public_mail_domain("gmail.com")
    assert is_public_mail_domain("GMX.de.")
    assert not is_public_mail_domain("siemens.com")
    assert not is_public_mail_domain("")


def test_sort_key() -> None:
    """Names are ordered without regard to case, accents and leading punctuation."""
    names = ["Zeta", "öst AG", "“Alpha” Ltd", "Ost Bank", "éclair", "alpha", "Ägypten"]
    assert sorted(names, key=sort_key) == ["Ägypten", "alpha", "“Alpha” Ltd", "éclair", "öst AG", "Ost Bank", "Zeta"]


@pytest.mark.parametrize("text", ["", "-1", "1.0", " 1", "1_000", "12345", "\u00b2", "\u0661"])
def test_what_is_no_whole_number(text: str) -> None:
    """Signs, spaces, other scripts, raised digits, and more digits than asked for."""
    assert whole_number(text, 4) is None
    assert whole_number("0042", 4) == 42
