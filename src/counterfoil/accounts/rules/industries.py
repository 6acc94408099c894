"""The industries that an account may be in, as a short list that people can choose from."""

from __future__ import annotations

INDUSTRIES: tuple[tuple[str, str], ...] = tuple(
    (name, name.capitalize())
    for name in (
        "agriculture", "construction", "consulting", "education", "employment", "energy", "engineering",
        "entertainment", "finance", "food", "government", "healthcare", "hospitality", "housing", "insurance", "legal",
        "logistics", "manufacturing", "marketing", "media", "medical", "non-profit", "real estate", "research",
        "retail",
        "services", "software", "technology", "telecommunications", "transport", "travel", "utilities",
    )
)  # fmt: skip
