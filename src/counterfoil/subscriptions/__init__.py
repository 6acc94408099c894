"""Agreements that are billed again and again."""
