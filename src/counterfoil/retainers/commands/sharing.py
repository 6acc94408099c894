"""The link under which a customer sees the burn-down of a retainer: made, made anew, and revoked."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from counterfoil.access.actors import Actor
from counterfoil.access.door import command
from counterfoil.core.errors import Conflict, NotFound
from counterfoil.core.ids import new_id
from counterfoil.plumbing.outbox import emit
from counterfoil.retainers import events
from counterfoil.retainers.links import hash_of, new_secret
from counterfoil.retainers.models import Retainer, RetainerLink


@command("retainers.share_retainer", needs="retainers.change")
def share_retainer(
    *, actor: Actor, retainer_id: UUID, at: datetime, replaces: UUID | Literal["none", "any"] = "any"
) -> str:
    """Make a link to the customer's page; answers its secret, which nobody can see again.

    The link that was there before opens nothing any more. Who says which one that is, or that there is none, is refused
    where it is another one: a repeated wish does not end the link that it made.
    """
    retainer = _locked(retainer_id)
    if replaces != "any":
        alive = RetainerLink.objects.filter(retainer=retainer, revoked_at=None).values_list("id", flat=True).first()
        _check_same(alive, None if replaces == "none" else replaces)
    _revoke(retainer, at)
    secret = new_secret()
    RetainerLink.objects.create(
        id=new_id(),
        created_at=at,
        retainer=retainer,
        secret_hash=hash_of(secret),
        made_by_name=actor.name[:200],
    )
    emit(events.RetainerShared(retainer_id=retainer.pk, account_id=retainer.account_id, title=retainer.title))
    return secret


@command("retainers.unshare_retainer", needs="retainers.change")
def unshare_retainer(*, actor: Actor, retainer_id: UUID, at: datetime) -> None:
    """Close the customer's page for good. One that is not open stays as it is."""
    retainer = _locked(retainer_id)
    if _revoke(retainer, at):
        emit(events.RetainerUnshared(retainer_id=retainer.pk, account_id=retainer.account_id, title=retainer.title))


def _check_same(alive: UUID | None, replaces: UUID | None) -> None:
    if alive != replaces:
        raise Conflict(
            "link_replaced",
            "No link was made: the retainer’s link was made, replaced or closed since you opened its page. A link that "
            "was just made still works.",
            "replaces",
        )


def _locked(retainer_id: UUID) -> Retainer:
    retainer = Retainer.objects.select_for_update(of=("self",)).filter(id=retainer_id).first()
    if retainer is None:
        raise NotFound()
    return retainer


def _revoke(retainer: Retainer, at: datetime) -> bool:
    link = RetainerLink.objects.filter(retainer=retainer, revoked_at=None).first()
    if link is None:
        return False
    link.revoked_at = at
    link.version += 1
    link.save(update_fields=["revoked_at", "version"])
    return True
