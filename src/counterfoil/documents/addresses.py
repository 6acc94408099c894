"""How an address is written on an envelope in its own country."""

from __future__ import annotations

from counterfoil.core.places import country_name
from counterfoil.documents.printed import Address

# Town, region and postcode on one line, in this order.
_TOWN_REGION_CODE = frozenset({"US", "CA", "AU", "IN", "NZ", "SG", "TH", "ID", "PH", "SA", "TW", "PK"})
# The postcode stands alone under the town.
_CODE_BELOW = frozenset({"GB", "IE", "GG", "JE", "IM", "GI", "MT", "KE", "ZA", "HK", "AE", "UA", "LK"})
# The region goes behind the town in brackets (Italy) or with a dash (Brazil).
_REGION_IN_BRACKETS = frozenset({"IT", "SM"})


def address_lines(address: Address, language: str, home_country: str = "") -> list[str]:
    """The lines below the name. The country stands in capitals as the last one, unless the letter stays at home."""
    lines = [address.street, address.street_2, *_town(address)]
    if address.country and address.country != home_country:
        lines.append(country_name(address.country, language).upper())
    return [line.strip() for line in lines if line.strip()]


def one_line(address: Address) -> str:
    """The address on one line, as it stands above the window of an envelope."""
    return " · ".join(line.strip() for line in (address.street, address.street_2, *_town(address)) if line.strip())


def _town(address: Address) -> list[str]:
    if address.country in _TOWN_REGION_CODE:
        place = ", ".join(part for part in (address.city, address.region) if part)
        return [f"{place} {address.postcode}"]
    if address.country in _CODE_BELOW:
        return [address.city, address.region, address.postcode]
    if address.country in _REGION_IN_BRACKETS:
        region = f" ({address.region})" if address.region else ""
        return [f"{address.postcode} {address.city}{region}"]
    if address.country == "BR":
        region = f" – {address.region}" if address.region else ""
        return [f"{address.city}{region}", address.postcode]
    return [f"{address.postcode} {address.city}", address.region]
