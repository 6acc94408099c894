"""Legal entities, ledger accounts, postings."""
