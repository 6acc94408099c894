"""Who acts: a user, an API key, a customer, or the product itself."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from counterfoil.access.rules.permissions import PERMISSIONS
from counterfoil.access.rules.roles import EVERY_GROUP, ROLES


@dataclass(frozen=True)
class Actor:
    """The rights and the name under which something is done. ``origin`` is the surface: web, api, cli, import, job."""

    kind: str
    id: UUID | None
    name: str
    roles: frozenset[str] = frozenset()
    origin: str = ""

    @classmethod
    def system(cls, name: str = "Counterfoil", origin: str = "job") -> Actor:
        """The product itself, acting on what a person asked for earlier. May do everything."""
        return cls("system", None, name, frozenset({"admin"}), origin)

    @classmethod
    def nobody(cls) -> Actor:
        """Somebody who is not logged in. May do nothing."""
        return cls("anonymous", None, "", frozenset())

    @property
    def is_known(self) -> bool:
        return self.kind != "anonymous"

    def may(self, permission: str) -> bool:
        if permission not in PERMISSIONS:
            raise KeyError(permission)
        return any(permission in ROLES[role].permissions for role in self.roles)

    @property
    def reads(self) -> frozenset[str]:
        """The field groups that this actor may see."""
        return frozenset().union(*(ROLES[role].reads for role in self.roles)) & EVERY_GROUP

    @property
    def writes(self) -> frozenset[str]:
        """The field groups that this actor may change."""
        return frozenset().union(*(ROLES[role].writes for role in self.roles)) & EVERY_GROUP
