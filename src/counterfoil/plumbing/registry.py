"""Names of commands and subscribers: the only upward path in the house.

Shared machinery (import, API, automation, outbox delivery) calls a room's function by its public name. A house test
walks every name used anywhere and fails for one that nobody registered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_commands: dict[str, Callable[..., Any]] = {}


def register_command(name: str, function: Callable[..., Any]) -> None:
    known = _commands.get(name)
    if known is not None and known.__module__ != function.__module__:
        raise ValueError(f"two commands are called {name}")
    _commands[name] = function


def command_named(name: str) -> Callable[..., Any]:
    """The command; raises ``KeyError`` for an unknown name."""
    return _commands[name]


def command_names() -> list[str]:
    return sorted(_commands)
