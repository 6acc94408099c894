"""What an endpoint may declare as its need, besides a permission.

Each room's ``endpoints.py`` holds ``ENDPOINTS``: ``"METHOD route" -> need``, the route as Django resolved it. What is
not declared is refused.
"""

from __future__ import annotations

PUBLIC = "public"
"""Anyone, logged in or not."""

SIGNED_IN = "signed_in"
"""Any user, or any API key on the API, whatever the roles."""
