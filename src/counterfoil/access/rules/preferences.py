"""How a person may like to see the screens."""

from __future__ import annotations

LANGUAGES = (("en", "English"), ("de", "Deutsch"))
"""The languages whose dates and numbers the screens speak."""

THEMES = (("system", "As the computer"), ("light", "Light"), ("dark", "Dark"))
