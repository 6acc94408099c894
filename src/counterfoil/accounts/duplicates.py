"""Accounts that a new one probably repeats, with the reasons. Suggests, never decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import TrigramSimilarity

from counterfoil.accounts.models import Account, AccountContact, Address, TaxIdentifier
from counterfoil.core.text import email_domain, is_public_mail_domain, normalised_code, normalised_name

SIMILAR = 0.6
CANDIDATES_MAX = 5


@dataclass(frozen=True)
class Candidate:
    """An account that is probably the same customer, and why, the strongest reason first."""

    account_id: UUID
    title: str
    reasons: tuple[str, ...]


def find_duplicates(values: Mapping[str, Any]) -> list[Candidate]:
    """Candidates by tax id, registration number, domain, e-mail, name with postcode, and similar name.

    Domains of public mail providers say nothing and do not count.
    """
    reasons: dict[UUID, list[str]] = {}

    def add(account_ids: Any, reason: str) -> None:
        for account_id in account_ids:
            reasons.setdefault(account_id, []).append(reason)

    tax_ids = [normalised_code(str(row.get("value") or "")) for row in values.get("tax_identifiers") or ()]
    tax_ids = [tax_id for tax_id in tax_ids if tax_id]
    if tax_ids:
        add(TaxIdentifier.objects.filter(normalised__in=tax_ids).values_list("account_id", flat=True), "same tax id")
    registration = normalised_code(str(values.get("registration_number") or ""))
    if registration:
        found = Account.objects.filter(normalised_registration=registration)
        add(found.values_list("id", flat=True), "same registration number")
    email = str(values.get("email") or "").lower()
    if email:
        found_roles = AccountContact.objects.filter(contact__email__iexact=email)
        add(found_roles.values_list("account_id", flat=True).distinct(), "same e-mail address")
    _by_domain(values, email, add)
    _by_name(values, add)
    titles = dict(Account.objects.filter(id__in=reasons).values_list("id", "legal_name"))
    ranked = sorted(reasons, key=lambda account_id: (-len(reasons[account_id]), titles[account_id]))
    return [
        Candidate(account_id, titles[account_id], tuple(dict.fromkeys(reasons[account_id])))
        for account_id in ranked[:CANDIDATES_MAX]
    ]


def _by_domain(values: Mapping[str, Any], email: str, add: Any) -> None:
    website = str(values.get("website") or "").lower().split("//")[-1].removeprefix("www.").split("/")[0]
    domains = {domain for domain in (website, email_domain(email)) if domain and not is_public_mail_domain(domain)}
    for domain in domains:
        add(Account.objects.filter(mail_domain=domain).values_list("id", flat=True), f"same domain {domain}")
        roles = AccountContact.objects.filter(contact__email__iendswith=f"@{domain}")
        add(roles.values_list("account_id", flat=True).distinct(), f"a contact at {domain}")


def _by_name(values: Mapping[str, Any], add: Any) -> None:
    name = normalised_name(str(values.get("legal_name") or ""))
    if not name:
        return
    same = set(Account.objects.filter(normalised_name=name).values_list("id", flat=True))
    postcodes = {str(row.get("postcode") or "").strip() for row in values.get("addresses") or ()} - {""}
    near = set(Address.objects.filter(account__in=same, postcode__in=postcodes).values_list("account_id", flat=True))
    add(near, "same name and postcode")
    add(same - near, "same name")
    similar = (
        Account.objects.filter(normalised_name__trigram_similar=name)
        .annotate(likeness=TrigramSimilarity("normalised_name", name))
        .filter(likeness__gte=SIMILAR)
        .exclude(id__in=same)
        .order_by("-likeness")
    )
    add(similar.values_list("id", flat=True)[:CANDIDATES_MAX], "similar name")
