"""The pages of drafts and invoices."""
