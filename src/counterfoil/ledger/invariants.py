"""What must hold of the books."""

from __future__ import annotations

from counterfoil.plumbing.invariants import invariant


@invariant("L1", "the postings of every journal entry sum to zero per currency")
def postings_sum_to_zero() -> str:
    return """
        SELECT p.entry_id, p.currency, SUM(p.amount) FROM ledger_posting p
        GROUP BY p.entry_id, p.currency HAVING SUM(p.amount) <> 0
    """


@invariant("L1b", "every journal entry has at least two postings")
def entries_have_postings() -> str:
    return """
        SELECT e.id FROM ledger_journalentry e
        LEFT JOIN ledger_posting p ON p.entry_id = e.id
        GROUP BY e.id HAVING COUNT(p.id) < 2
    """


@invariant("L4", "a posting stands on a ledger account of its entry's own company")
def postings_stay_in_their_company() -> str:
    return """
        SELECT p.id FROM ledger_posting p
        JOIN ledger_journalentry e ON e.id = p.entry_id
        JOIN ledger_ledgeraccount a ON a.id = p.ledger_account_id
        WHERE a.entity_id <> e.entity_id
    """
