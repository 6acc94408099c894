"""Stored files, the PDF of an invoice with its e-invoice inside, and the words of every language they are written in."""
