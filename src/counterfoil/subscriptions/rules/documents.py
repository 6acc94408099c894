"""Which documents differences become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def parted(lines: Sequence[T], total: Callable[[Sequence[T]], Decimal] | None = None) -> Parted[T]:
    """Credits travel with charges on one invoice as long as it does not fall below zero.

    Otherwise the charges are an invoice and the credits a credit note of the same day. Lines that come to nothing are
    left out. ``total`` says what lines come to with tax, where that may have another sign than without.
    """
    charges = tuple(line for line in lines if line.net > 0)
    credits = tuple(line for line in lines if line.net < 0)
    together = sum((line.net for line in lines), Decimal(0))
    if charges and credits and total is not None:
        together = total(lines)
    if charges and together >= 0:
        return Parted(tuple(line for line in lines if line.net), ())
    return Parted(charges, credits)
