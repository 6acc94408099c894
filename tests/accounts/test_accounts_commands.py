"""Adding and changing accounts, terms and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from accounts_world import ON, SYSTEM, World, stored

from counterfoil.accounts import commands, queries
from counterfoil.accounts.models import Account, Address, BillingDefaults, PaymentTerms, TaxIdentifier
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id

ADDRESS = {"kind": "invoice", "street": "Torstraße 1", "postcode": "10119", "city": "Berlin", "country": "DE"}


def test_adding_an_account(world: World) -> None:
    """An account is added with addresses and tax ids, as a prospect unless it is said otherwise."""
    account_id = world.account(
        "Ąćme GmbH",
        actor=world.bea,
        trading_name="Acme",
        website="https://www.acme.example/en",
        registration_number="HRB 123 B",
        addresses=[ADDRESS],
        tax_identifiers=[{"value": "136 695 976"}],
    )
    account = stored(account_id)
    assert (account.legal_name, account.status, account.version) == ("Ąćme GmbH", "prospect", 1)
    assert (account.normalised_name, account.normalised_trading_name) == ("acme", "acme")
    assert (account.sort_key, account.mail_domain, account.normalised_registration) == (
        "acme",
        "acme.example",
        "HRB123B",
    )
    tax_id = TaxIdentifier.objects.get()
    assert (tax_id.country, tax_id.value, tax_id.normalised) == ("DE", "136 695 976", "DE136695976")
    assert tax_id.is_format_valid is True
    assert world.events() == ["account_added"]


def test_a_bad_tax_id_is_told_and_not_refused(world: World) -> None:
    """A tax id with wrong check digits is kept and marked; the account is added all the same."""
    account_id = world.account("Acme", tax_identifiers=[{"country": "DE", "value": "DE136695975"}])
    row = queries.get_account(world.bea, account_id)
    assert row.tax_identifiers == [{"country": "DE", "value": "DE136695975", "is_format_valid": False}]


def test_changing_one_value_leaves_the_others(world: World) -> None:
    """A change names its fields; what it does not name stays, and the event says what changed."""
    account_id = world.account("Acme", industry="retail", addresses=[ADDRESS], language="de")
    world.change(account_id, actor=world.sam, legal_name="Acme AG", industry="retail", version=1)
    account = stored(account_id)
    assert (account.legal_name, account.industry, account.language, account.version) == ("Acme AG", "retail", "de", 2)
    assert account.addresses.count() == 1
    assert world.events() == ["account_added", "account_changed"]


def test_a_change_that_changes_nothing_is_none(world: World) -> None:
    """Saving the same values raises no version and tells nobody."""
    account_id = world.account("Acme", addresses=[ADDRESS], tax_identifiers=[{"value": "DE136695976"}])
    world.change(
        account_id, legal_name="Acme", addresses=[ADDRESS], tax_identifiers=[{"value": "DE136695976", "country": "DE"}]
    )
    assert stored(account_id).version == 1
    assert world.events() == ["account_added"]


def test_a_stale_change_is_refused(world: World) -> None:
    """Somebody who edits what another changed meanwhile is told so, and nothing is written."""
    account_id = world.account("Acme")
    world.change(account_id, version=1, industry="retail")
    with pytest.raises(Stale) as refused:
        world.change(account_id, version=1, industry="media", addresses=[ADDRESS])
    assert (refused.value.status, refused.value.code, refused.value.field) == (409, "stale", "version")
    assert stored(account_id).industry == "retail"
    assert not Address.objects.exists()


def test_addresses_are_replaced_as_a_whole(world: World) -> None:
    """The addresses that are sent are the ones that the account has then; an empty one is none."""
    account_id = world.account("Acme", addresses=[ADDRESS, {"kind": "delivery", "city": "Potsdam"}])
    kept = Address.objects.get(kind="invoice").pk
    world.change(account_id, addresses=[ADDRESS | {"street": "Torstraße 2"}, {"kind": "registered"}])
    assert list(Address.objects.values_list("id", "kind", "street")) == [(kept, "invoice", "Torstraße 2")]
    assert stored(account_id).version == 2


def test_two_addresses_of_one_kind_are_refused(world: World) -> None:
    """An account has one address of each kind; the second is refused at its row."""
    account_id = world.account("Acme", addresses=[ADDRESS])
    with pytest.raises(Refusal) as refused:
        world.change(account_id, addresses=[ADDRESS, ADDRESS | {"street": "Elsewhere 9"}])
    assert [(one.field, one.code) for one in refused.value.problems] == [("addresses.1.kind", "twice")]
    assert list(Address.objects.values_list("street", flat=True)) == ["Torstraße 1"]


def test_an_exempt_account_needs_a_reason(world: World) -> None:
    """Nobody is exempt from tax without the reason that is printed."""
    account_id = world.account("Acme")
    with pytest.raises(Refusal) as refused:
        world.change(account_id, tax_profile="exempt")
    assert (refused.value.code, refused.value.field) == ("missing", "tax_exemption_reason")
    assert stored(account_id).tax_profile == ""
    world.change(account_id, tax_profile="exempt", tax_exemption_reason="Charity, certificate 4711")
    assert stored(account_id).tax_exemption_reason == "Charity, certificate 4711"


def test_an_external_id_belongs_to_one_account(world: World) -> None:
    """A second account with the same id of another system is refused at that field."""
    world.account("Acme", external_id="C-1")
    with pytest.raises(Conflict) as refused:
        world.account("Other", external_id="C-1")
    assert (refused.value.code, refused.value.field) == ("taken", "external_id")
    assert Account.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({}, [("legal_name", "missing")]),
        ({"legal_name": "  "}, [("legal_name", "missing")]),
        ({"legal_name": "x" * 10_000_000}, [("legal_name", "too_long")]),
        ({"legal_name": "A\x00B"}, [("legal_name", "control_character")]),
        ({"legal_name": "Acme", "status": "friend"}, [("status", "not_a_choice")]),
        ({"legal_name": "Acme", "currency": "EURO"}, [("currency", "unknown_currency")]),
        ({"legal_name": "Acme", "language": "klingon"}, [("language", "unknown_language")]),
        ({"legal_name": "Acme", "employees": "-1"}, [("employees", "too_small")]),
        ({"legal_name": "Acme", "employees": 1.5}, [("employees", "not_a_number")]),
        ({"legal_name": "Acme", "owner": "nobody"}, [("owner", "not_an_id")]),
        ({"legal_name": "Acme", "sort_key": "a"}, [("sort_key", "unknown_field")]),
        ({"legal_name": "Acme", "created_at": "2026-01-01"}, [("created_at", "read_only")]),
        ({"legal_name": "Acme", "addresses": "Berlin"}, [("addresses", "not_a_list")]),
        ({"legal_name": "Acme", "addresses": [7]}, [("addresses.0", "not_an_object")]),
        (
            {"legal_name": "Acme", "addresses": [{"kind": "home", "country": "XX"}]},
            [("addresses.0.kind", "not_a_choice"), ("addresses.0.country", "unknown_country")],
        ),
        ({"legal_name": "Acme", "tax_identifiers": [{"country": "DE"}]}, [("tax_identifiers.0.value", "missing")]),
    ],
)
def test_bad_input(world: World, values: Mapping[str, Any], problems: list[tuple[str, str]]) -> None:
    """Each bad value is refused at its field, and no account is added."""
    with pytest.raises(Refusal) as refused:
        commands.add_account(actor=SYSTEM, values=values, on=ON)
    assert [(one.field, one.code) for one in refused.value.problems] == problems
    assert not Account.objects.exists()


def test_a_link_to_nothing_is_refused(world: World) -> None:
    """A parent that does not exist is refused at its field."""
    with pytest.raises(Refusal) as refused:
        world.account("Acme", parent=new_id())
    assert [(one.field, one.code) for one in refused.value.problems] == [("parent", "no_such_record")]
    assert not Account.objects.exists()


def test_sales_may_not_change_terms_or_tax(world: World) -> None:
    """Sales changes the relationship; terms and tax are closed to it, whatever the value, and nothing is written."""
    account_id = world.account("Acme", actor=world.sam)
    for closed in (
        {"terms": world.terms("net-60")},
        {"payer": account_id},
        {"tax_profile": "standard"},
        {"terms": None},
    ):
        with pytest.raises(NotAllowed) as refused:
            world.change(account_id, actor=world.sam, legal_name="Changed", **closed)
        assert [one.code for one in refused.value.problems] == ["closed_field"]
    with pytest.raises(NotAllowed):
        world.change(account_id, actor=world.archie, legal_name="Changed")
    assert (stored(account_id).legal_name, stored(account_id).version) == ("Acme", 1)
    world.change(account_id, actor=world.bea, terms=world.terms("net-60"))
    assert stored(account_id).terms_id == world.terms("net-60")


def test_an_account_that_is_not_there(world: World) -> None:
    """Changing an account that does not exist answers "not found"."""
    with pytest.raises(NotFound):
        world.change(new_id(), legal_name="Acme")


def test_buyers_become_customers(world: World) -> None:
    """Leads, prospects and former customers that buy are customers, in a fixed number of statements, and it is told."""
    ids = [world.account(f"Company {status}", status=status) for status in ("lead", "prospect", "former", "customer")]
    commands.become_customers(actor=SYSTEM, account_ids=ids)
    assert [stored(one).status for one in ids] == ["customer"] * 4
    assert [stored(one).version for one in ids] == [2, 2, 2, 1]
    assert world.events() == ["account_added"] * 4 + ["account_changed"] * 3


def test_new_installation_gets_terms_and_defaults(world: World) -> None:
    """Terms and defaults are installed once; doing it again changes nothing."""
    defaults = queries.get_defaults(world.ann)
    assert (defaults.terms_title, defaults.currency, defaults.language, defaults.delivery_channel) == (
        "14 days net", "EUR", "en", "email",
    )  # fmt: skip
    assert [(row["key"], row.days, row.from_end_of_month) for row in queries.list_terms(world.ann)] == [
        ("immediately", 0, False), ("net-7", 7, False), ("net-14", 14, False), ("net-30", 30, False),
        ("net-60", 60, False), ("end-of-month", 0, True), ("end-of-month-30", 30, True),
    ]  # fmt: skip
    commands.install_defaults(actor=SYSTEM)
    assert (PaymentTerms.objects.count(), BillingDefaults.objects.count()) == (7, 1)


def test_terms_are_added_and_changed(world: World) -> None:
    """Only who may change settings adds terms; a key is used once; the version is checked."""
    values = {"key": "net-45", "name": "45 days net", "days": 45, "is_active": True}
    terms_id = commands.add_terms(actor=world.ann, values=values)
    with pytest.raises(NotAllowed):
        commands.add_terms(actor=world.bea, values=values | {"key": "net-46"})
    with pytest.raises(Conflict) as refused:
        commands.add_terms(actor=world.ann, values=values)
    assert (refused.value.code, refused.value.field) == ("taken", "key")
    commands.change_terms(actor=world.ann, terms_id=terms_id, values={"days": 46}, version=1)
    with pytest.raises(Stale):
        commands.change_terms(actor=world.ann, terms_id=terms_id, values={"days": 47}, version=1)
    assert PaymentTerms.objects.get(pk=terms_id).days == 46
    with pytest.raises(Refusal):
        commands.change_terms(actor=world.ann, terms_id=terms_id, values={"days": 366}, version=2)


def test_default_terms_stay_in_use(world: World) -> None:
    """The company's default terms cannot be retired, and retired terms cannot become the default."""
    net_14, net_60 = world.terms("net-14"), world.terms("net-60")
    with pytest.raises(Conflict) as refused:
        commands.change_terms(actor=world.ann, terms_id=net_14, values={"is_active": False}, version=None)
    assert refused.value.code == "is_default"
    commands.change_terms(actor=world.ann, terms_id=net_60, values={"is_active": False}, version=None)
    with pytest.raises(Refusal) as second:
        commands.change_billing_defaults(actor=world.ann, values={"terms": net_60}, version=1)
    assert second.value.field == "terms"
    commands.change_billing_defaults(actor=world.ann, values={"terms": world.terms("net-30")}, version=1)
    assert BillingDefaults.objects.get().terms_id == world.terms("net-30")
    with pytest.raises(Stale):
        commands.change_billing_defaults(actor=world.ann, values={"currency": "USD"}, version=1)
    with pytest.raises(NotAllowed):
        commands.change_billing_defaults(actor=world.bea, values={"currency": "USD"}, version=2)
    assert BillingDefaults.objects.get().currency == "EUR"


def test_every_change_is_written_down(world: World) -> None:
    """Who changed what, before and after, is kept; columns that follow from others are not repeated."""
    from counterfoil.access.models import Change

    account_id = world.account("Acme")
    world.change(account_id, actor=world.sam, legal_name="Acme AG")
    change = Change.objects.filter(record_id=account_id, operation="update").get()
    assert (change.before, change.after) == ({"legal_name": "Acme"}, {"legal_name": "Acme AG"})
    assert (change.context["actor"], change.context["command"]) == ("Sam", "accounts.change_account")
