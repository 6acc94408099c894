"""Drafts, review, invoices, numbering, tax, delivery."""
