"""Counterfoil: a CRM and a billing system on one customer record."""

__version__ = "0.1.0"
