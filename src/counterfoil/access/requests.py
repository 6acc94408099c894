"""What a view may expect of a request: the middleware has put the actor on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest

from counterfoil.access.actors import Actor

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

    from counterfoil.access.models import User


class Request(HttpRequest):
    """A request after the middleware. Never made: it is the type under which views take what Django gives them."""

    actor: Actor
    htmx: HtmxDetails
    user: User
    """The guard lets nobody else reach a view that is not public."""
