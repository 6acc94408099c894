"""Which documents differences become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, Protocol, TypeVar


class Amounted(Protocol):
    """What comes to an amount, which is below zero for a credit."""

    @property
    def net(self) -> Decimal: ...


T = TypeVar("T", bound=Amounted)


@dataclass(frozen=True)
class Parted(Generic[T]):
    """The lines of an invoice and those of a credit note; either may be none."""

    invoice: tuple[T, ...]
    credit_note: tuple[T, ...]


def parted(lines: Sequence[T]) -> Parted[T]:
    """Credits travel with charges on one invoice as long as it does not fall below zero.

    Otherwise the charges are an invoice and the credits a credit note of the same day. Lines that come to nothing are
    left out.
    """
    charges = tuple(line for line in lines if line.net > 0)
    credits = tuple(line for line in lines if line.net < 0)
    if charges and sum((line.net for line in lines), Decimal(0)) >= 0:
        return Parted(tuple(line for line in lines if line.net), ())
    return Parted(charges, credits)
