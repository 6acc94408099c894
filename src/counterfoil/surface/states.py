"""States as people see them: a hue, a shape and a word, so that no state is told by colour alone."""

from __future__ import annotations

from dataclasses import dataclass

SHAPES = {
    "circle": '<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" stroke-width="1.5"/>',
    "half": (
        '<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        '<path d="M6 1.75a4.25 4.25 0 0 1 0 8.5z" fill="currentColor"/>'
    ),
    "quarter": (
        '<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        '<path d="M6 6V1.75A4.25 4.25 0 0 1 10.25 6z" fill="currentColor"/>'
    ),
    "arrow": (
        '<path d="M1.5 6h8.25M6.5 2.75 9.75 6 6.5 9.25" fill="none" stroke="currentColor" '
        'stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/>'
    ),
    "back": (
        '<path d="M10.5 6H2.25M5.5 2.75 2.25 6l3.25 3.25" fill="none" stroke="currentColor" '
        'stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/>'
    ),
    "check": (
        '<path d="m1.75 6.5 2.75 2.75 5.75-6.5" fill="none" stroke="currentColor" '
        'stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/>'
    ),
    "alarm": (
        '<path d="M6 1.5v5.25" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"/>'
        '<circle cx="6" cy="10" r="1.2" fill="currentColor"/>'
    ),
    "cross": (
        '<path d="m2.25 2.25 7.5 7.5m0-7.5-7.5 7.5" fill="none" stroke="currentColor" '
        'stroke-width="1.8" stroke-linecap="round"/>'
    ),
    "dash": '<path d="M2 6h8" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round"/>',
    "dot": '<circle cx="6" cy="6" r="3" fill="currentColor"/>',
    "star": '<path d="M6 1 7.4 4.5l3.7.3-2.8 2.4.9 3.6L6 8.9l-3.2 1.9.9-3.6L.9 4.8l3.7-.3z" fill="currentColor"/>',
}
HUES = ("plain", "green", "blue", "amber", "red", "muted")


@dataclass(frozen=True)
class State:
    """How one state looks. ``struck`` draws a line through the word, for what was undone."""

    word: str
    shape: str
    hue: str
    struck: bool = False


_states: dict[str, State] = {
    "draft": State("Draft", "circle", "plain"),
    "review": State("In review", "half", "amber"),
    "in_review": State("In review", "half", "amber"),
    "returned": State("Returned", "back", "amber"),
    "issued": State("Issued", "arrow", "blue"),
    "sent": State("Sent", "arrow", "blue"),
    "part_paid": State("Part-paid", "quarter", "blue"),
    "paid": State("Paid", "check", "green"),
    "overdue": State("Overdue", "alarm", "red"),
    "void": State("Void", "dash", "muted", struck=True),
    "voided": State("Void", "dash", "muted", struck=True),
    "failed": State("Failed", "cross", "red"),
    "bounced": State("Bounced", "cross", "red"),
    "open": State("Open", "circle", "blue"),
    "won": State("Won", "check", "green"),
    "lost": State("Lost", "cross", "muted"),
    "active": State("Active", "dot", "green"),
    "prospect": State("Prospect", "circle", "blue"),
    "inactive": State("Inactive", "dash", "muted"),
    "closed": State("Closed", "dash", "muted"),
    "done": State("Done", "check", "green"),
    "waiting": State("Waiting", "circle", "plain"),
    "queued": State("Queued", "circle", "plain"),
    "running": State("Running", "half", "blue"),
    "stopped": State("Stopped", "dash", "amber"),
    "undone": State("Undone", "back", "muted"),
    "cancelled": State("Cancelled", "dash", "muted", struck=True),
    "delivered": State("Delivered", "check", "green"),
    "received": State("Received", "check", "green"),
    "reversed": State("Reversed", "back", "muted", struck=True),
    "unallocated": State("Unallocated", "quarter", "amber"),
    "disputed": State("Disputed", "alarm", "amber"),
    "new": State("New", "star", "blue"),
    "update": State("Update", "half", "blue"),
    "duplicate": State("Duplicate", "alarm", "amber"),
    "error": State("Error", "cross", "red"),
    "skipped": State("Skipped", "dash", "muted"),
    "ok": State("OK", "check", "green"),
    "missing": State("Missing", "cross", "red"),
    "warning": State("Warning", "alarm", "amber"),
}


def register_state(name: str, word: str, shape: str, hue: str, *, struck: bool = False) -> None:
    """Say how a state looks that is not in the table yet."""
    if shape not in SHAPES or hue not in HUES:
        raise ValueError(f"state {name}: no shape {shape} or no hue {hue}")
    _states[name] = State(word, shape, hue, struck)


def state_named(name: str) -> State:
    """How the state looks; one that nobody described is shown plainly by its name."""
    found = _states.get(name)
    return found or State(name.replace("_", " ").capitalize(), "dot", "plain")


def is_state(name: object) -> bool:
    return name in _states
