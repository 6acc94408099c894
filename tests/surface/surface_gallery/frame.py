"""What the product's context gives to the frame, invented."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


class Somebody:
    """Who is logged in, as far as the frame asks."""

    name = "Anna Weiß"
    is_known = True


def frame(request: HttpRequest) -> dict[str, Any]:
    """What the context of the product gives to the frame."""
    places = (
        ("", (("Today", "/", "sun", "g t", 0),)),
        (
            "Customers",
            (("Accounts", "/accounts", "building-2", "g a", 0), ("Contacts", "/contacts", "users", "g c", 0)),
        ),
        ("Sales", (("Deals", "/deals", "handshake", "g d", 0), ("Board", "/board", "square-kanban", "g b", 0))),
        (
            "Billing",
            (
                ("Review", "/panes", "inbox", "g r", 12),
                ("Invoices", "/list", "receipt", "g i", 0),
                ("Payments", "/payments", "banknote", "g p", 0),
            ),
        ),
        ("Work", (("Tasks", "/tasks", "list-checks", "g k", 3), ("Mail", "/mail", "mail", "g m", 0))),
        ("Data", (("Catalog", "/catalog", "package", "", 0), ("Import", "/form", "upload", "", 0))),
    )
    return {
        "actor": Somebody(),
        "theme": request.GET.get("theme", "system"),
        "dense": "dense" in request.GET,
        "navigation": [
            {
                "label": label,
                "links": [
                    {
                        "label": word,
                        "href": href,
                        "icon": icon,
                        "key": key,
                        "count": count,
                        "is_current": request.path == href,
                    }
                    for word, href, icon, key, count in links
                ],
            }
            for label, links in places
        ],
        "new_menu": [
            {"label": "Account", "href": "/form", "icon": "building-2"},
            {"label": "Invoice", "href": "/form", "icon": "receipt"},
        ],
        "user_menu": [{"label": "Your settings", "href": "/form", "icon": "settings"}],
        "theme_url": "",
    }
