"""The settings: one list of pages, found by their names and by what can be set on them."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from counterfoil.access.actors import Actor


@dataclass(frozen=True)
class SettingsPage:
    """``words`` are what people may look for besides the label; they are searched and shown as the page's hint."""

    label: str
    url: str
    icon: str
    needs: str
    words: str


PAGES: tuple[tuple[str, tuple[SettingsPage, ...]], ...] = (
    (
        "Company",
        (
            SettingsPage(
                "Companies",
                "ledger:entities",
                "building",
                "ledger.see",
                "legal name, address, tax id, bank account, layout",
            ),
            SettingsPage(
                "Number series", "invoicing:all_series", "hash", "ledger.see", "invoice numbers, prefix, year"
            ),
            SettingsPage(
                "Tax rates", "invoicing:tax_rates", "percent", "ledger.see", "VAT, sales tax, validity, exemptions"
            ),
            SettingsPage(
                "References",
                "invoicing:reference_fields",
                "tags",
                "ledger.see",
                "custom fields, cost centre, project, buyer reference, e-invoice",
            ),
            SettingsPage("Payment terms", "accounts:list_terms", "calendar-clock", "ledger.see", "due days, net 30"),
            SettingsPage(
                "Billing defaults",
                "accounts:defaults",
                "sliders-horizontal",
                "ledger.see",
                "currency, language, delivery",
            ),
            SettingsPage(
                "Billing policies",
                "subscriptions:policies",
                "repeat",
                "ledger.see",
                "subscriptions, proration, first period, review, limits a day",
            ),
            SettingsPage(
                "Coupons", "subscriptions:coupons", "ticket-percent", "subscriptions.see", "discount code, voucher"
            ),
        ),
    ),
    (
        "Sales",
        (SettingsPage("Pipelines", "deals:pipelines", "kanban", "settings.change", "stages, probability, readiness"),),
    ),
    (
        "People and programs",
        (
            SettingsPage(
                "Users", "access:users", "users", "access.see", "colleagues, invite, deactivate, password link"
            ),
            SettingsPage("Roles", "access:roles", "shield", "access.see", "rights, permissions, field groups"),
            SettingsPage("API keys", "access:api_keys", "key-round", "access.see", "programs, integrations, tokens"),
            SettingsPage("Audit log", "access:audit", "history", "audit.see", "who changed what, history"),
        ),
    ),
    (
        "Installation",
        (
            SettingsPage("System", "system", "activity", "system.see", "worker, watchdog, jobs, alarms, invariants"),
            SettingsPage(
                "Profile", "access:profile", "user-round", "access.self", "theme, dense rows, language, password"
            ),
        ),
    ),
)


@dataclass(frozen=True)
class SettingsLink:
    label: str
    href: str
    icon: str
    words: str


def settings_pages(actor: Actor, text: str = "") -> list[tuple[str, list[SettingsLink]]]:
    """The pages that the actor may open, by part; with ``text``, those where every word occurs in label or hint."""
    wanted = text.lower().split()
    groups = []
    for part, pages in PAGES:
        links = []
        for page in pages:
            haystack = f"{page.label} {page.words} {part}".lower()
            if actor.may(page.needs) and all(word in haystack for word in wanted):
                try:
                    links.append(SettingsLink(page.label, reverse(page.url), page.icon, page.words))
                except NoReverseMatch:
                    continue
        if links:
            groups.append((part, links))
    return groups
