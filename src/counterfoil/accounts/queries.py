"""What is known of accounts and contacts. ``billing_facts`` is for other rooms' commands, never for output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from counterfoil.access.actors import Actor
from counterfoil.access.projection import CLOSED, Row, project, project_one
from counterfoil.accounts.models import (
    Account,
    AccountContact,
    Address,
    BillingDefaults,
    Contact,
    PaymentTerms,
    TaxIdentifier,
)
from counterfoil.accounts.rules.facts import BillingFacts, Party, Recipient, TermsFact
from counterfoil.accounts.rules.inheritance import DEFAULT, NONE, Said, Sourced, resolve
from counterfoil.core.text import normalised_code, normalised_name, sort_key
from counterfoil.plumbing.record_types import record_type

_CHAINS = """
WITH RECURSIVE chain (start_id, id, depth) AS (
    SELECT a.id, a.id, 0 FROM accounts_account a WHERE a.id = ANY(%s)
    UNION ALL
    SELECT c.start_id, a.parent_id, c.depth + 1 FROM chain c JOIN accounts_account a ON a.id = c.id
    WHERE a.parent_id IS NOT NULL AND c.depth < 50
)
SELECT start_id, id FROM chain ORDER BY start_id, depth
"""

_SUBJECTS = {
    "billing_cycle": "billing cycle",
    "po_policy": "purchase order rule",
    "language": "language",
    "currency": "currency",
    "service_tier": "service tier",
    "delivery_channel": "delivery",
}


def ancestors(account_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """The chain of each account: itself, its parent, and so on up. One statement."""
    chains: dict[UUID, list[UUID]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CHAINS, [list(account_ids)])
        for start, member in cursor.fetchall():
            chains.setdefault(start, []).append(member)
    return chains


_HEIGHT = """
WITH RECURSIVE branch (id, depth) AS (
    SELECT %s::uuid, 1
    UNION ALL
    SELECT a.id, b.depth + 1 FROM branch b JOIN accounts_account a ON a.parent_id = b.id WHERE b.depth < 100
)
SELECT max(depth) FROM branch
"""


def height_of(account_id: UUID) -> int:
    """How many levels the account's branch has, itself included."""
    with connection.cursor() as cursor:
        cursor.execute(_HEIGHT, [account_id])
        return int(cursor.fetchone()[0])


def terms_by_key() -> dict[str, UUID]:
    """The ids of the payment terms by key."""
    return dict(PaymentTerms.objects.values_list("key", "id"))


def default_currency() -> str:
    """The currency of accounts that name none and inherit none."""
    return BillingDefaults.objects.values_list("currency", flat=True).first() or "EUR"


def billing_facts(account_ids: Sequence[UUID], on: date) -> dict[UUID, BillingFacts]:
    """The facts of each account as of ``on``, in six statements however many accounts. Unknown ids are left out."""
    chains = ancestors(account_ids)
    accounts = Account.objects.in_bulk({member for chain in chains.values() for member in chain})
    defaults = BillingDefaults.objects.select_related("terms").first()
    arranged = {start: _arrangement([accounts[member] for member in chain]) for start, chain in chains.items()}
    others = {account.value for three in arranged.values() for account in three} - accounts.keys()
    accounts |= Account.objects.in_bulk(others)
    terms = PaymentTerms.objects.in_bulk({account.terms_id for account in accounts.values() if account.terms_id})
    parties = _parties({three[0].value for three in arranged.values()}, accounts)
    recipients = _recipients({three[2].value for three in arranged.values()}, on)
    return {
        start: _facts(
            [accounts[member] for member in chain], arranged[start], accounts, terms, parties, recipients, defaults
        )
        for start, chain in chains.items()
    }


Arrangement = tuple[Sourced[UUID], Sourced[UUID], Sourced[UUID]]


def _arrangement(chain: Sequence[Account]) -> Arrangement:
    """Whose name is on the invoice, who pays, who receives it."""
    own = chain[0]
    invoiced = _explicit(chain, "invoiced_account_id", "invoiced account") or Sourced(
        own.pk, DEFAULT, "The account itself", own.pk
    )
    payer = _explicit(chain, "payer_id", "payer") or Sourced(invoiced.value, DEFAULT, "The invoiced account", None)
    send_to = _explicit(chain, "send_to_id", "send to") or Sourced(
        invoiced.value, DEFAULT, "The invoiced account", None
    )
    return invoiced, payer, send_to


def _explicit(chain: Sequence[Account], attribute: str, subject: str) -> Sourced[UUID] | None:
    found = resolve([_said(account, attribute) for account in chain], None, subject)
    return found if found.value is not None else None


def _said(account: Account, attribute: str) -> Said[Any]:
    return Said(account.pk, account.trading_name or account.legal_name, getattr(account, attribute))


def _facts(
    chain: Sequence[Account],
    arranged: Arrangement,
    accounts: dict[UUID, Account],
    terms: dict[UUID, PaymentTerms],
    parties: dict[UUID, Party],
    recipients: dict[UUID, tuple[Recipient, ...]],
    defaults: BillingDefaults | None,
) -> BillingFacts:
    own = chain[0]
    invoiced, payer, send_to = arranged
    texts: dict[str, Sourced[str]] = {
        name: resolve([_said(account, name) for account in chain], getattr(defaults, name, ""), subject)
        for name, subject in _SUBJECTS.items()
    }
    terms_source = resolve(
        [_said(account, "terms_id") for account in chain], defaults.terms_id if defaults else None, "payment terms"
    )
    known = terms.get(terms_source.value) or (defaults.terms if defaults and terms_source.kind == DEFAULT else None)
    legal = accounts[invoiced.value]
    return BillingFacts(
        account_id=own.pk,
        legal_name=own.legal_name,
        title=own.trading_name or own.legal_name,
        status=own.status,
        owner_id=own.owner_id,
        invoiced_account=invoiced,
        payer=payer,
        send_to=send_to,
        party=parties[invoiced.value],
        recipients=recipients.get(send_to.value, ()),
        recipients_source=Sourced(send_to.value, send_to.kind, f"{accounts[send_to.value].legal_name} · billing contacts",
                                  send_to.value),
        terms=Sourced(_terms_fact(known), terms_source.kind, terms_source.label, terms_source.record_id),
        tax_profile=_tax_profile(legal, defaults),
        tax_exemption_reason=legal.tax_exemption_reason,
        **texts,
    )  # fmt: skip


def _terms_fact(terms: PaymentTerms | None) -> TermsFact | None:
    if terms is None:
        return None
    return TermsFact(terms.pk, terms.key, terms.name, terms.days, terms.from_end_of_month)


def _tax_profile(legal: Account, defaults: BillingDefaults | None) -> Sourced[str]:
    if legal.tax_profile:
        return Sourced(legal.tax_profile, "own", f"{legal.legal_name} · tax profile", legal.pk)
    default = defaults.tax_profile if defaults else ""
    kind = DEFAULT if default else NONE
    return Sourced(default, kind, "Company default · tax profile" if default else "No tax profile anywhere")


def _parties(account_ids: set[UUID], accounts: dict[UUID, Account]) -> dict[UUID, Party]:
    """Legal identities with their invoice address, else their registered office."""
    addresses: dict[UUID, Address] = {}
    kinds = {"registered": 0, "invoice": 1}
    for address in Address.objects.filter(account__in=account_ids, kind__in=kinds):
        known = addresses.get(address.account_id)
        if known is None or kinds[address.kind] > kinds[known.kind]:
            addresses[address.account_id] = address
    tax_ids: dict[UUID, list[str]] = {}
    for account_id, value in (
        TaxIdentifier.objects.filter(account__in=account_ids).order_by("id").values_list("account_id", "value")
    ):
        tax_ids.setdefault(account_id, []).append(value)
    return {pk: _party(accounts[pk], addresses.get(pk) or Address(), tuple(tax_ids.get(pk, ()))) for pk in account_ids}


def _party(account: Account, address: Address, tax_ids: tuple[str, ...]) -> Party:
    return Party(
        account_id=account.pk,
        legal_name=account.legal_name,
        trading_name=account.trading_name,
        registration_number=account.registration_number,
        tax_ids=tax_ids,
        attention=address.attention,
        street=address.street,
        street_2=address.street_2,
        postcode=address.postcode,
        city=address.city,
        region=address.region,
        country=address.country,
    )


def _recipients(account_ids: set[UUID], on: date) -> dict[UUID, tuple[Recipient, ...]]:
    """The billing contacts of each account on that day, To before Cc, in the order in which they got the role."""
    roles = (
        AccountContact.objects.filter(account__in=account_ids, role="billing", valid_from__lte=on)
        .filter(Q(valid_to=None) | Q(valid_to__gt=on))
        .filter(Q(contact__left_on=None) | Q(contact__left_on__gt=on))
        .select_related("contact")
        .order_by("-mail_line", "valid_from", "id")
    )
    found: dict[UUID, list[Recipient]] = {}
    for role in roles:
        person = role.contact
        found.setdefault(role.account_id, []).append(
            Recipient(person.pk, person.name, person.email, role.mail_line, person.email_state)
        )
    return {account_id: tuple(people) for account_id, people in found.items()}


# For output: projected rows, for an actor ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A page of rows and how many there are in all."""

    rows: list[Row]
    count: int


ACCOUNT, CONTACT, ROLE, TERMS = "accounts.account", "accounts.contact", "accounts.role", "accounts.terms"
_SORTS = {"legal_name": "sort_key", "created_at": "created_at", "status": "status", "industry": "industry"}


def list_accounts(
    actor: Actor,
    *,
    text: str = "",
    filters: Mapping[str, Any] | None = None,
    sort: str = "legal_name",
    offset: int = 0,
    limit: int = 50,
) -> Found:
    """Accounts by name, filtered by status, owner, industry, country and parent, with the titles of what they link to."""
    accounts = Account.objects.all()
    for name, value in (filters or {}).items():
        if name == "country":
            accounts = accounts.filter(addresses__country__in=value).distinct()
        elif name in ("status", "industry") or name in ("owner", "parent"):
            accounts = accounts.filter(**{f"{name}__in": value})
        elif name == "created_at":
            accounts = _between(accounts, "created_at__date", value)
    if text:
        accounts = accounts.filter(_matches(text))
    order = _SORTS.get(sort.lstrip("-"), "sort_key")
    accounts = accounts.order_by(f"{'-' if sort.startswith('-') else ''}{order}", "id")
    page = list(
        accounts.select_related("owner", "parent", "terms").prefetch_related("addresses", "tax_identifiers")[
            offset : offset + limit
        ]
    )
    return Found(_account_rows(actor, page), accounts.count())


def _matches(text: str) -> Q:
    """Names that contain the text as it is compared, ids, registration numbers and domains that begin with it."""
    code = normalised_code(text)
    matches = Q(normalised_name__contains=normalised_name(text) or text.lower()) | Q(legal_name__icontains=text)
    matches |= Q(trading_name__icontains=text) | Q(mail_domain__startswith=text.lower()) | Q(external_id=text)
    if len(code) >= 4:
        matches |= Q(normalised_registration__startswith=code)
        matches |= Q(id__in=TaxIdentifier.objects.filter(normalised__startswith=code).values("account"))
    return matches


def _between(rows: Any, name: str, value: tuple[date | None, date | None]) -> Any:
    start, end = value
    if start is not None:
        rows = rows.filter(**{f"{name}__gte": start})
    return rows.filter(**{f"{name}__lte": end}) if end is not None else rows


def _account_rows(actor: Actor, accounts: Sequence[Account]) -> list[Row]:
    links = {"owner", "parent", "terms", "invoiced_account", "payer", "send_to"}
    rows = project(actor, ACCOUNT, accounts)
    for row, account in zip(rows, accounts, strict=False):
        titles = {}
        for name in links - set(row.closed):
            linked = getattr(account, name)
            titles[f"{name}_title"] = _title(linked) if linked is not None else ""
        address = next(iter(sorted(account.addresses.all(), key=lambda one: one.kind != "invoice")), None)
        is_open = "addresses" not in row.closed
        row.plus(
            **titles,
            country=address.country if address and is_open else "",
            city=address.city if address and is_open else "",
        )
    return rows


def _title(record: Any) -> str:
    if isinstance(record, Account):
        return record.trading_name or record.legal_name
    return str(record.name)


def get_account(actor: Actor, account_id: UUID) -> Row:
    """One account with the titles of what it links to; raises ``NotFound``."""
    account = (
        Account.objects.select_related("owner", "parent", "terms", "invoiced_account", "payer", "send_to")
        .prefetch_related("addresses", "tax_identifiers")
        .filter(id=account_id)
        .first()
    )
    project_one(actor, ACCOUNT, account)
    assert account is not None
    return _account_rows(actor, [account])[0]


def accounts_after(actor: Actor, *, after: UUID | None, take: int, text: str = "") -> list[Row]:
    """Accounts with an id above ``after``, in the order of their ids: a page by cursor."""
    accounts = Account.objects.filter(_matches(text)) if text else Account.objects.all()
    if after is not None:
        accounts = accounts.filter(id__gt=after)
    page = accounts.select_related("owner", "parent", "terms").prefetch_related("addresses", "tax_identifiers")
    return _account_rows(actor, list(page.order_by("id")[:take]))


def contacts_after(actor: Actor, *, after: UUID | None, take: int, text: str = "") -> list[Row]:
    """Contacts with an id above ``after``, in the order of their ids: a page by cursor."""
    contacts = Contact.objects.all()
    if text:
        contacts = contacts.filter(Q(sort_key__contains=sort_key(text)) | Q(email__icontains=text))
    if after is not None:
        contacts = contacts.filter(id__gt=after)
    return project(actor, CONTACT, list(contacts.order_by("id")[:take]))


def account_titles(account_ids: Iterable[UUID]) -> dict[UUID, str]:
    """How people call the accounts. For rows of other rooms that link to them; everybody who sees those may know it."""
    found = Account.objects.filter(id__in=set(account_ids)).values_list("id", "trading_name", "legal_name")
    return {account_id: trading or legal for account_id, trading, legal in found}


@dataclass(frozen=True)
class ShownFact:
    """A value that holds for an account, with where it comes from; ``field`` is the account's own field behind it."""

    field: str
    label: str
    value: Any
    source: str
    source_id: UUID | None
    is_own: bool


def account_facts_for_page(actor: Actor, account_id: UUID, on: date) -> list[ShownFact]:
    """What billing will use for the account on that day, each with its source. Closed groups give closed values."""
    row = get_account(actor, account_id)
    facts = billing_facts([account_id], on)[account_id]
    accounts = account_titles([facts.invoiced_account.value, facts.payer.value, facts.send_to.value])
    described = record_type(ACCOUNT).by_id
    terms = facts.terms.value
    shown: list[tuple[str, Any, Sourced[Any]]] = [
        ("invoiced_account", accounts.get(facts.invoiced_account.value, ""), facts.invoiced_account),
        ("payer", accounts.get(facts.payer.value, ""), facts.payer),
        ("send_to", accounts.get(facts.send_to.value, ""), facts.send_to),
        ("terms", terms.name if terms else "", facts.terms),
        ("billing_cycle", facts.billing_cycle.value, facts.billing_cycle),
        ("po_policy", facts.po_policy.value, facts.po_policy),
        ("delivery_channel", facts.delivery_channel.value, facts.delivery_channel),
        ("currency", facts.currency.value, facts.currency),
        ("tax_profile", facts.tax_profile.value, facts.tax_profile),
        ("language", facts.language.value, facts.language),
        ("service_tier", facts.service_tier.value, facts.service_tier),
    ]
    return [
        ShownFact(
            field=name,
            label=described[name].label,
            value=CLOSED if name in row.closed else value,
            source="" if name in row.closed else source.label,
            source_id=source.record_id,
            is_own=source.kind == "own" and source.record_id == account_id,
        )
        for name, value, source in shown
    ]


def hierarchy_of(actor: Actor, account_id: UUID) -> tuple[list[Row], list[Row]]:
    """The account's ancestors from the top down, and its direct children by name."""
    chain = ancestors([account_id]).get(account_id, [])[1:]
    above = Account.objects.in_bulk(chain)
    below = Account.objects.filter(parent=account_id).order_by("sort_key")[:200]
    return project(actor, ACCOUNT, [above[one] for one in reversed(chain)]), project(actor, ACCOUNT, below)


def contacts_of(actor: Actor, account_id: UUID, on: date, *, with_past: bool = False) -> list[Row]:
    """The roles at an account on that day, with ``name``, ``email`` and ``email_state`` of the person;

    past ones if asked.
    """
    roles = AccountContact.objects.filter(account=account_id).select_related("contact").order_by("role", "valid_from")
    if not with_past:
        roles = roles.filter(Q(valid_to=None) | Q(valid_to__gt=on))
    found = list(roles)
    return [
        row.plus(
            name=role.contact.name,
            email=role.contact.email,
            email_state=role.contact.email_state,
            job_title=role.contact.job_title,
            phone=role.contact.phone,
        )
        for row, role in zip(project(actor, ROLE, found), found, strict=False)
    ]


def list_contacts(
    actor: Actor, *, text: str = "", filters: Mapping[str, Any] | None = None, sort: str = "name", offset: int = 0,
    limit: int = 50,
) -> Found:  # fmt: skip
    """People by name, with the accounts at which they hold a role."""
    contacts = Contact.objects.all()
    for name, value in (filters or {}).items():
        if name == "email_state":
            contacts = contacts.filter(email_state__in=value)
    if text:
        contacts = contacts.filter(Q(sort_key__contains=sort_key(text)) | Q(email__icontains=text))
    contacts = contacts.order_by("-sort_key" if sort == "-name" else "sort_key", "id")
    page = list(contacts.prefetch_related("account_roles__account")[offset : offset + limit])
    rows = project(actor, CONTACT, page)
    for row, contact in zip(rows, page, strict=False):
        names = {role.account_id: _title(role.account) for role in contact.account_roles.all() if role.valid_to is None}
        row.plus(accounts=", ".join(names.values()), account_links=list(names.items()))
    return Found(rows, contacts.count())


def get_contact(actor: Actor, contact_id: UUID) -> Row:
    """One person with all roles ever held; raises ``NotFound``."""
    contact = Contact.objects.filter(id=contact_id).first()
    row = project_one(actor, CONTACT, contact)
    roles = (
        AccountContact.objects.filter(contact=contact_id).select_related("account").order_by("valid_to", "valid_from")
    )
    found = list(roles)
    return row.plus(
        roles=[
            given.plus(account_title=_title(role.account))
            for given, role in zip(project(actor, ROLE, found), found, strict=False)
        ]
    )


def list_terms(actor: Actor, *, with_unused: bool = False) -> list[Row]:
    """Payment terms, the shortest first."""
    terms = PaymentTerms.objects.order_by("from_end_of_month", "days", "name")
    return project(actor, TERMS, terms if with_unused else terms.filter(is_active=True))


def get_terms(actor: Actor, terms_id: UUID) -> Row:
    return project_one(actor, TERMS, PaymentTerms.objects.filter(id=terms_id).first())


def get_defaults(actor: Actor) -> Row:
    """The billing defaults; raises ``NotFound`` before they are installed."""
    defaults = BillingDefaults.objects.select_related("terms").first()
    row = project_one(actor, "accounts.defaults", defaults)
    assert defaults is not None
    return row.plus(terms_title=defaults.terms.name)
