"""Stored files, the PDF of an invoice with its e-invoice inside, and their wording in every language."""
