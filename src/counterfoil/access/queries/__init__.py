"""Who there is, what was changed, and where a record is found: read by an actor, as that actor may see it."""

from counterfoil.access.queries.finding import Hit, find, find_everywhere
from counterfoil.access.queries.history import (
    Changed,
    Difference,
    changes_of,
    command_in_words,
    forget_tables,
    list_changes,
)
from counterfoil.access.queries.users import (
    api_keys_after,
    get_api_key,
    get_user,
    list_api_keys,
    list_users,
    people,
    roles,
    users_after,
)

__all__ = [
    "Changed",
    "Difference",
    "Hit",
    "api_keys_after",
    "changes_of",
    "command_in_words",
    "find",
    "find_everywhere",
    "forget_tables",
    "get_api_key",
    "get_user",
    "list_api_keys",
    "list_changes",
    "list_users",
    "people",
    "roles",
    "users_after",
]
