"""Tax ids: their form for comparing, and whether their check digits are right.

A well-formed number need not exist, and a form that we do not know may be right: so a bad one is told, never refused.
"""

from __future__ import annotations

import re

from stdnum.exceptions import ValidationError
from stdnum.util import get_cc_module

from counterfoil.core.places import is_country
from counterfoil.core.text import normalised_code

# What stands before the number instead of the country's own code.
_PREFIXES = {"GR": ("EL", "GR"), "CH": ("CHE", "CH"), "GB": ("GB", "XI")}
_COUNTRIES = {"EL": "GR", "XI": "GB"}
# What Swiss and Norwegian businesses write behind it.
_SUFFIXES = {"CH": ("MWST", "TVA", "IVA", "TPV"), "NO": ("MVA",)}
# Numbers that are printed as a tax id beside the one for value added tax.
_KINDS = ("vat", "tin", "businessid")
_MORE_KINDS = {
    "ca": ("bn",),
    "ch": ("uid",),
    "de": ("stnr", "idnr"),
    "es": ("nif", "cif"),
    "fr": ("siren", "siret"),
    "in": ("gstin", "pan"),
    "no": ("orgnr",),
    "se": ("orgnr",),
}


def tax_country(country: str, value: str, otherwise: str = "") -> str:
    """Which country's tax id it is: the one that is said, the one that it begins with, or the account's own."""
    if country:
        return country
    code = normalised_code(value)
    start = code[:2]
    named = _COUNTRIES.get(start, start)
    if is_country(named) and re.fullmatch(r"[A-Z]{2,3}[0-9A-Z]{7,13}", code) and sum(map(str.isdigit, code)) >= 7:
        return named
    return otherwise


def normalised_tax_id(country: str, value: str) -> str:
    """The number as it is compared: the country's code, then letters and digits."""
    code = normalised_code(value)
    if not country or not code:
        return code
    for suffix in _SUFFIXES.get(country, ()):
        code = code.removesuffix(suffix)
    for prefix in _PREFIXES.get(country, (country,)):
        if code.startswith(prefix) and len(code) > len(prefix):
            code = code[len(prefix) :]
            break
    return country + code


def is_well_formed(country: str, value: str) -> bool | None:
    """Whether the number has the form and the check digits of that country; ``None`` where no rule is known."""
    if not country:
        return None
    code = country.lower()
    known = [get_cc_module(code, kind) for kind in (*_KINDS, *_MORE_KINDS.get(code, ()))]
    rules = [module for module in known if module is not None]
    if not rules:
        return None
    written = normalised_code(value)
    return any(_passes(rule, text) for rule in rules for text in (value, written))


def _passes(rule: object, text: str) -> bool:
    try:
        rule.validate(text)  # type: ignore[attr-defined]
    except (ValidationError, ValueError, IndexError):
        return False
    return True
