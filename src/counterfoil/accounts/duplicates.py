"""Accounts that a new one probably repeats, with the reasons. Suggests, never decides.

Works on a set of new accounts: a fixed number of statements, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Lower

from counterfoil.accounts.derived import web_domain
from counterfoil.accounts.models import Account, AccountContact, Address, TaxIdentifier
from counterfoil.accounts.rules.tax_ids import normalised_tax_id, tax_country
from counterfoil.core.text import email_domain, is_public_mail_domain, normalised_code, normalised_name
from counterfoil.plumbing.bulk import read_where

SIMILAR = Decimal("0.6")
"""How alike two normalised names must be, as pg_trgm counts, to be worth a look."""
CANDIDATES_MAX = 5
LENGTH_MAX = 400

# How much a reason says. Reasons that stand here alone refuse an account until somebody accepts it.
_WEIGHTS = {
    "same tax id": 100,
    "same registration number": 90,
    "same name and postcode": 80,
    "same e-mail address": 70,
    "same name": 60,
    "same domain": 50,
    "a contact at": 40,
}
_SIMILAR_WEIGHT = 10


@dataclass(frozen=True)
class Candidate:
    """An account that is probably the same customer, and why, the strongest reason first.

    Not ``is_strong`` is one whose name is merely similar. ``is_the_same`` says that more than a domain speaks for it.
    """

    account_id: UUID
    title: str
    reasons: tuple[str, ...]
    is_strong: bool = True
    is_the_same: bool = True


@dataclass
class _Signs:
    """What a new account can be recognised by."""

    tax_ids: frozenset[str]
    registration: str
    emails: frozenset[str]
    domains: frozenset[str]
    names: frozenset[str]
    postcodes: frozenset[str]
    countries: frozenset[str]
    found: dict[UUID, dict[str, int]] = field(default_factory=dict)

    def add(self, account_id: UUID, reason: str, weight: int) -> None:
        self.found.setdefault(account_id, {})[reason] = weight


def find_duplicates(values: Mapping[str, Any], exclude: UUID | None = None) -> list[Candidate]:
    """The accounts that these values probably repeat. Domains of public mail providers do not count."""
    return find_duplicates_of([values], exclude)[0]


def find_duplicates_of(rows: Sequence[Mapping[str, Any]], exclude: UUID | None = None) -> list[list[Candidate]]:
    """Candidates for each row of values: by tax id, registration number, e-mail, domain, name with postcode, name."""
    signs = [_signs_of(values) for values in rows]
    _by_tax_id(signs)
    _by_registration(signs)
    _by_mail(signs)
    _by_domain(signs)
    _by_name(signs)
    _by_similar_name(signs)
    everybody = list({account_id for one in signs for account_id in one.found})
    named = ("trading_name", "legal_name")
    known = read_where(Account, "id = ANY(%s)", everybody, only=named) if everybody else []
    titles = {account.pk: account.trading_name or account.legal_name for account in known}
    return [_ranked(one, titles, exclude) for one in signs]


def _ranked(signs: _Signs, titles: Mapping[UUID, str], exclude: UUID | None) -> list[Candidate]:
    found = [account_id for account_id in signs.found if account_id != exclude]
    found.sort(key=lambda account_id: (-sum(signs.found[account_id].values()), titles[account_id], account_id))
    return [
        Candidate(
            account_id=account_id,
            title=titles[account_id],
            reasons=tuple(sorted(reasons, key=lambda reason: -reasons[reason])),
            is_strong=any(weight > _SIMILAR_WEIGHT for weight in reasons.values()),
            is_the_same=any(weight > _WEIGHTS["same domain"] for weight in reasons.values()),
        )
        for account_id in found[:CANDIDATES_MAX]
        for reasons in (signs.found[account_id],)
    ]


# What the values say ------------------------------------------------------------------------------------------------


def _signs_of(values: Mapping[str, Any]) -> _Signs:
    """The values may come straight from a form: anything that is no text says nothing."""
    addresses = _rows(values.get("addresses"))
    countries = {_text(row.get("country")).upper() for row in addresses} - {""}
    here = next(iter(sorted(countries)), "")
    tax_ids = set()
    for row in _rows(values.get("tax_identifiers")):
        value = _text(row.get("value"))
        country = tax_country(_text(row.get("country")).upper(), value, here)
        tax_ids.add(normalised_tax_id(country, value))
    email = _text(values.get("email")).lower()
    domains = {web_domain(_text(values.get("website"))), email_domain(email)}
    names = {normalised_name(_text(values.get(name)))[:200] for name in ("legal_name", "trading_name")}
    return _Signs(
        tax_ids=frozenset(tax_ids - {""}),
        registration=normalised_code(_text(values.get("registration_number"))),
        emails=frozenset({email} - {""}),
        domains=frozenset(domain for domain in domains if domain and not is_public_mail_domain(domain)),
        names=frozenset(names - {""}),
        postcodes=frozenset({normalised_code(_text(row.get("postcode"))) for row in addresses} - {""}),
        countries=frozenset(countries),
    )


def _rows(value: Any) -> list[Mapping[str, Any]]:
    rows = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
    return [row for row in rows if isinstance(row, Mapping)][:50]


def _text(value: Any) -> str:
    return value.replace("\x00", "").strip()[:LENGTH_MAX] if isinstance(value, str) else ""


# What the database knows, one statement each ------------------------------------------------------------------------


def _matches(
    signs: Sequence[_Signs],
    wanted: Callable[[_Signs], Iterable[str]],
    known: Iterable[tuple[str, UUID]],
    reason: Callable[[str], tuple[str, int]],
) -> None:
    accounts: dict[str, set[UUID]] = {}
    for value, account_id in known:
        accounts.setdefault(value, set()).add(account_id)
    for one in signs:
        for value in wanted(one):
            for account_id in accounts.get(value, ()):
                one.add(account_id, *reason(value))


def _all(signs: Sequence[_Signs], wanted: Callable[[_Signs], Iterable[str]]) -> set[str]:
    return {value for one in signs for value in wanted(one)}


def _reason(words: str, value: str = "") -> tuple[str, int]:
    return f"{words} {value}".strip(), _WEIGHTS[words]


def _by_tax_id(signs: Sequence[_Signs]) -> None:
    wanted = _all(signs, lambda one: one.tax_ids)
    if not wanted:
        return
    known = TaxIdentifier.objects.filter(normalised__in=wanted).values_list("normalised", "account_id")
    _matches(signs, lambda one: one.tax_ids, known, lambda value: _reason("same tax id"))


def _by_registration(signs: Sequence[_Signs]) -> None:
    """Registers of different countries give the same numbers, so the countries must not contradict each other."""
    wanted = _all(signs, lambda one: {one.registration} - {""})
    if not wanted:
        return
    known = list(
        Account.objects.filter(normalised_registration__in=wanted).values_list("normalised_registration", "id")
    )
    countries: dict[UUID, set[str]] = {}
    for account_id, country in (
        Address.objects.filter(account__in=[account_id for _, account_id in known])
        .exclude(country="")
        .values_list("account_id", "country")
    ):
        countries.setdefault(account_id, set()).add(country)
    for one in signs:
        for registration, account_id in known:
            theirs = countries.get(account_id, set())
            if registration == one.registration and (not theirs or not one.countries or theirs & one.countries):
                one.add(account_id, *_reason("same registration number"))


def _by_mail(signs: Sequence[_Signs]) -> None:
    wanted = _all(signs, lambda one: one.emails)
    if not wanted:
        return
    known = (
        AccountContact.objects.annotate(address=Lower("contact__email"))
        .filter(address__in=wanted)
        .values_list("address", "account_id")
    )
    _matches(signs, lambda one: one.emails, known, lambda value: _reason("same e-mail address"))


def _by_domain(signs: Sequence[_Signs]) -> None:
    wanted = _all(signs, lambda one: one.domains)
    if not wanted:
        return
    own = Account.objects.filter(mail_domain__in=wanted).values_list("mail_domain", "id")
    _matches(signs, lambda one: one.domains, own, lambda value: _reason("same domain", value))
    people = AccountContact.objects.filter(contact__mail_domain__in=wanted, contact__left_on=None)
    known = people.values_list("contact__mail_domain", "account_id")
    _matches(signs, lambda one: one.domains, known, lambda value: _reason("a contact at", value))


def _by_name(signs: Sequence[_Signs]) -> None:
    wanted = _all(signs, lambda one: one.names)
    if not wanted:
        return
    names = ("normalised_name", "normalised_trading_name")
    same = "normalised_name = ANY(%s) OR normalised_trading_name = ANY(%s)"
    accounts: dict[str, set[UUID]] = {}
    for account in read_where(Account, same, list(wanted), list(wanted), only=names):
        for name in {account.normalised_name, account.normalised_trading_name} & wanted:
            accounts.setdefault(name, set()).add(account.pk)
    if not accounts:
        return
    postcodes: dict[UUID, set[str]] = {}
    everybody = list({account_id for found in accounts.values() for account_id in found})
    placed = "account_id = ANY(%s) AND postcode <> ''"
    for address in read_where(Address, placed, everybody, only=("account_id", "postcode")):
        postcodes.setdefault(address.account_id, set()).add(normalised_code(address.postcode))
    for one in signs:
        for account_id in {account_id for name in one.names for account_id in accounts.get(name, ())}:
            is_near = bool(one.postcodes & postcodes.get(account_id, set()))
            one.add(account_id, *_reason("same name and postcode" if is_near else "same name"))


_SIMILAR_NAMES = """
SELECT wanted.place, account.id
FROM unnest(%s::int[], %s::text[]) AS wanted(place, name)
CROSS JOIN LATERAL (
    SELECT a.id FROM accounts_account a
    WHERE a.normalised_name %% wanted.name AND a.normalised_name <> wanted.name
    ORDER BY similarity(a.normalised_name, wanted.name) DESC, a.id
    LIMIT %s
) AS account
"""


def _by_similar_name(signs: Sequence[_Signs]) -> None:
    wanted = [(place, name) for place, one in enumerate(signs) for name in one.names]
    if not wanted:
        return
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('pg_trgm.similarity_threshold', %s, true)", [str(SIMILAR)])
        cursor.execute(_SIMILAR_NAMES, [[place for place, _ in wanted], [name for _, name in wanted], CANDIDATES_MAX])
        for place, account_id in cursor.fetchall():
            if account_id not in signs[place].found:
                signs[place].add(account_id, "similar name", _SIMILAR_WEIGHT)
