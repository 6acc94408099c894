"""Persons: several accounts, dated roles, leavers, and whether mail arrives."""

from __future__ import annotations

from datetime import date

import pytest
from accounts_world import ON, SYSTEM, World, person

from counterfoil.accounts import commands, queries
from counterfoil.accounts.models import AccountContact, Contact
from counterfoil.core.errors import Conflict, NotAllowed, NotFound, Refusal, Stale
from counterfoil.core.ids import new_id
from counterfoil.plumbing.models import OutboxEvent

MAY = date(2026, 5, 1)
JUNE = date(2026, 6, 1)


def replace(world: World, leaver: object, successor: object, on: date = MAY) -> int:
    return commands.replace_leaver(actor=world.sam, contact_id=leaver, successor_id=successor, on=on)  # type: ignore[arg-type]


def test_a_person_in_several_accounts(world: World) -> None:
    """One person has different roles at different accounts, each from a day on."""
    acme, birch = world.account("Acme"), world.account("Birch")
    paula = world.contact("Paula Ray", "paula@acme.example")
    world.role(acme, paula, "billing")
    world.role(acme, paula, "buyer", on=MAY)
    world.role(birch, paula, "signer", line="cc")
    assert world.roles_of(paula) == [
        ("Acme", "billing", "to", ON, None),
        ("Acme", "buyer", "to", MAY, None),
        ("Birch", "signer", "cc", ON, None),
    ]
    assert [row.name for row in queries.contacts_of(world.sam, birch, ON)] == ["Paula Ray"]
    assert world.events()[-3:] == ["role_given"] * 3


def test_a_role_is_not_held_twice(world: World) -> None:
    """Giving a role that the person holds is refused; after its end it can be given again."""
    acme, paula = world.account("Acme"), world.contact("Paula Ray")
    role = world.role(acme, paula)
    with pytest.raises(Conflict) as refused:
        world.role(acme, paula)
    assert refused.value.code == "role_held"
    commands.end_role(actor=world.sam, role_id=role, on=MAY)
    with pytest.raises(Conflict) as again:
        commands.end_role(actor=world.sam, role_id=role, on=JUNE)
    assert again.value.code == "role_ended"
    world.role(acme, paula, on=JUNE)
    assert world.roles_of(paula) == [("Acme", "billing", "to", ON, MAY), ("Acme", "billing", "to", JUNE, None)]
    assert queries.contacts_of(world.sam, acme, MAY) == queries.contacts_of(world.sam, acme, JUNE)


@pytest.mark.parametrize(("role", "line", "field"), [("boss", "to", "role"), ("billing", "bcc", "mail_line")])
def test_unknown_roles_are_refused(world: World, role: str, line: str, field: str) -> None:
    """A role or mail line that does not exist is refused at its field."""
    acme, paula = world.account("Acme"), world.contact("Paula Ray")
    with pytest.raises(Refusal) as refused:
        world.role(acme, paula, role, line)
    assert (refused.value.code, refused.value.field) == ("not_a_choice", field)
    assert not AccountContact.objects.exists()


def test_a_role_needs_both_ends(world: World) -> None:
    """A role at no account, or of nobody, is not found, and the field says which."""
    acme, paula = world.account("Acme"), world.contact("Paula Ray")
    for account_id, contact_id, field in ((new_id(), paula, "account"), (acme, new_id(), "contact")):
        with pytest.raises(NotFound) as refused:
            world.role(account_id, contact_id)
        assert refused.value.field == field


def test_to_becomes_cc(world: World) -> None:
    """A person's mail can be moved from To to Cc; the version is checked."""
    acme, paula = world.account("Acme"), world.contact("Paula Ray")
    role = world.role(acme, paula)
    commands.change_role(actor=world.sam, role_id=role, mail_line="cc", version=1)
    with pytest.raises(Stale):
        commands.change_role(actor=world.sam, role_id=role, mail_line="to", version=1)
    assert AccountContact.objects.get().mail_line == "cc"


def test_a_leaver_is_replaced_everywhere_in_one_step(world: World) -> None:
    """All open roles go to the successor on the day of leaving; the past stays with the leaver."""
    acme, birch, cedar = world.account("Acme"), world.account("Birch"), world.account("Cedar")
    paula, quinn = world.contact("Paula Ray", "paula@acme.example"), world.contact("Quinn Day", "quinn@acme.example")
    world.role(acme, paula, "billing")
    world.role(birch, paula, "billing", line="cc")
    commands.end_role(actor=SYSTEM, role_id=world.role(cedar, paula, "buyer"), on=date(2026, 4, 20))
    assert replace(world, paula, quinn) == 2
    assert world.roles_of(paula) == [
        ("Acme", "billing", "to", ON, MAY),
        ("Birch", "billing", "cc", ON, MAY),
        ("Cedar", "buyer", "to", ON, date(2026, 4, 20)),
    ]
    assert world.roles_of(quinn) == [("Acme", "billing", "to", MAY, None), ("Birch", "billing", "cc", MAY, None)]
    assert (person(paula).left_on, person(quinn).left_on) == (MAY, None)
    told = OutboxEvent.objects.get(name="accounts.leaver_replaced")
    assert set(told.about) == {paula, quinn, acme, birch}
    facts = queries.billing_facts([acme], date(2026, 4, 30)), queries.billing_facts([acme], MAY)
    assert [[one.name for one in found[acme].recipients] for found in facts] == [["Paula Ray"], ["Quinn Day"]]


def test_a_successor_who_has_the_role_keeps_it(world: World) -> None:
    """Days on which the successor holds the role anyway are not given twice; gaps are filled."""
    acme, birch, cedar = world.account("Acme"), world.account("Birch"), world.account("Cedar")
    paula, quinn = world.contact("Paula Ray"), world.contact("Quinn Day")
    for account_id in (acme, birch, cedar):
        world.role(account_id, paula)
    world.role(acme, quinn, line="cc")
    world.role(birch, quinn, on=JUNE)
    commands.end_role(actor=SYSTEM, role_id=world.role(cedar, quinn), on=JUNE)
    assert replace(world, paula, quinn) == 3
    assert world.roles_of(quinn) == [
        ("Acme", "billing", "cc", ON, None),
        ("Birch", "billing", "to", MAY, JUNE),
        ("Birch", "billing", "to", JUNE, None),
        ("Cedar", "billing", "to", ON, JUNE),
        ("Cedar", "billing", "to", JUNE, None),
    ]


def test_a_role_that_begins_later_goes_over_whole(world: World) -> None:
    """A role that the leaver was to begin after leaving never begins; the successor begins it on that day."""
    acme = world.account("Acme")
    paula, quinn = world.contact("Paula Ray"), world.contact("Quinn Day")
    world.role(acme, paula, on=JUNE)
    replace(world, paula, quinn)
    assert world.roles_of(paula) == [("Acme", "billing", "to", JUNE, JUNE)]
    assert world.roles_of(quinn) == [("Acme", "billing", "to", JUNE, None)]
    assert queries.billing_facts([acme], JUNE)[acme].recipients[0].name == "Quinn Day"


def test_leaving_without_a_successor(world: World) -> None:
    """Nobody takes over: the roles end, and the account has no billing contact any more."""
    acme, paula = world.account("Acme"), world.contact("Paula Ray", "paula@acme.example")
    world.role(acme, paula)
    assert replace(world, paula, None) == 1
    assert world.events()[-1] == "contact_left"
    assert queries.billing_facts([acme], MAY)[acme].recipients == ()
    with pytest.raises(Conflict) as refused:
        world.role(acme, paula, on=JUNE)
    assert refused.value.code == "contact_left"
    commands.reinstate_contact(actor=world.sam, contact_id=paula, version=None)
    world.role(acme, paula, on=JUNE)
    assert person(paula).left_on is None


def test_replacements_that_make_no_sense(world: World) -> None:
    """Nobody succeeds himself, nor somebody who left; who left cannot leave again; nothing changes."""
    acme = world.account("Acme")
    paula, quinn, rosa = (world.contact(name) for name in ("Paula Ray", "Quinn Day", "Rosa Sol"))
    world.role(acme, paula)
    replace(world, quinn, None, ON)
    before = (world.roles_of(paula), world.events())
    for leaver, successor, code in (
        (paula, paula, "same_person"),
        (paula, quinn, "successor_left"),
        (paula, new_id(), "not_found"),
        (new_id(), paula, "not_found"),
        (quinn, rosa, "already_left"),
    ):
        with pytest.raises(Refusal) as refused:
            replace(world, leaver, successor)
        assert refused.value.code == code
    with pytest.raises(NotAllowed):
        commands.replace_leaver(actor=world.archie, contact_id=paula, successor_id=rosa, on=MAY)
    assert (world.roles_of(paula), world.events()) == before
    assert person(paula).left_on is None


def test_a_new_address_has_no_history(world: World) -> None:
    """Mail that bounced at an old address says nothing of the new one."""
    paula = world.contact("Paula Ray", "paula@acme.example")
    world.contact("Other Paula", "PAULA@acme.example")
    commands.mark_email(actor=SYSTEM, emails=["Paula@Acme.example", ""], state="bounced")
    assert list(Contact.objects.values_list("email_state", flat=True)) == ["bounced", "bounced"]
    commands.change_contact(actor=world.sam, contact_id=paula, values={"email": "ray@acme.example"}, version=2)
    assert (person(paula).email_state, person(paula).mail_domain, person(paula).version) == (
        "unknown",
        "acme.example",
        3,
    )
    with pytest.raises(Stale):
        commands.change_contact(actor=world.sam, contact_id=paula, values={"name": "P"}, version=2)


def test_somebody_with_that_address_is_shown_first(world: World) -> None:
    """A second person with a known e-mail address is refused unless it is accepted."""
    world.contact("Paula Ray", "paula@acme.example")
    values = {"name": "P. Ray", "email": "Paula@acme.example"}
    with pytest.raises(Conflict) as refused:
        commands.add_contact(actor=world.sam, values=values, on=ON, accept_duplicates=False)
    assert (refused.value.code, refused.value.field) == ("known_email", "email")
    assert Contact.objects.count() == 1
    commands.add_contact(actor=world.sam, values=values, on=ON, accept_duplicates=True)
    assert Contact.objects.count() == 2


def test_a_bad_address_is_refused(world: World) -> None:
    """An e-mail address that cannot be one is refused at its field."""
    with pytest.raises(Refusal) as refused:
        world.contact("Paula Ray", "paula(at)acme")
    assert (refused.value.code, refused.value.field) == ("not_an_email", "email")
    assert not Contact.objects.exists()
