"""Colleagues whom an imported file names: found by name or e-mail, and added without a log-in when unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.access.models import User
from counterfoil.core.ids import new_id
from counterfoil.core.text import normalised_name
from counterfoil.plumbing.record_types import Choices

WITHOUT_LOGIN = "imported.invalid"


def find_users(texts: Sequence[str]) -> Mapping[str, UUID]:
    """The users that the texts name by e-mail address or by name."""
    known: dict[str, UUID] = {}
    for user_id, name, email in User.objects.values_list("id", "name", "email"):
        known[normalised_name(name)] = user_id
        known[email.lower()] = user_id
    found: dict[str, UUID] = {}
    for text in texts:
        meant = known.get(text.lower()) or known.get(normalised_name(text))
        if meant is not None:
            found[text] = meant
    return found


def user_options() -> Choices:
    return [(str(user_id), name) for user_id, name in User.objects.order_by("name").values_list("id", "name")]


@command("access.add_people", needs="importing.run")
def add_people(*, actor: Actor, names: Sequence[str]) -> Mapping[str, UUID]:
    """The users of these names; those that are new are added as Sales without a log-in, for an admin to activate.

    Their e-mail address ends in ``.invalid``, which no mail can reach (RFC 2606).
    """
    found = dict(find_users(names))
    fresh: dict[str, User] = {}
    for name in names:
        if name not in found and name not in fresh:
            user_id = new_id()
            user = User(
                id=user_id, name=name[:200], email=f"{user_id}@{WITHOUT_LOGIN}", roles=["sales"], is_active=False
            )
            user.set_unusable_password()
            fresh[name] = user
    User.objects.bulk_create(fresh.values(), batch_size=500)
    return {**found, **{name: user.pk for name, user in fresh.items()}}
