"""What must hold of documents, and of documents and books together."""

from __future__ import annotations

from counterfoil.plumbing.invariants import invariant


@invariant("L6", "the lines and taxes of every document sum to its totals")
def lines_and_taxes_add_up() -> str:
    return """
        SELECT i.id, i.number FROM invoicing_invoice i
        LEFT JOIN (SELECT invoice_id, SUM(net) AS net FROM invoicing_invoiceline GROUP BY invoice_id) l
          ON l.invoice_id = i.id
        LEFT JOIN (SELECT invoice_id, SUM(amount) AS tax FROM invoicing_invoicetax GROUP BY invoice_id) t
          ON t.invoice_id = i.id
        WHERE COALESCE(l.net, 0) <> i.net OR COALESCE(t.tax, 0) <> i.tax OR i.net + i.tax <> i.total
    """


@invariant("D3", "numbers are gapless and unique per series and year")
def numbers_have_no_gap() -> str:
    return """
        SELECT c.series_id, c.year, c.last, COUNT(i.id) FROM invoicing_seriescounter c
        LEFT JOIN invoicing_invoice i ON i.series_id = c.series_id AND i.year = c.year
        GROUP BY c.series_id, c.year, c.last
        HAVING COUNT(i.id) <> c.last OR COALESCE(MAX(i.sequence), 0) <> c.last OR COUNT(DISTINCT i.sequence) <> c.last
    """


@invariant("D5", "issue dates never run backward within a series")
def dates_follow_numbers() -> str:
    return """
        SELECT n.id, n.number FROM (
            SELECT id, number, issued_on, LAG(issued_on) OVER (PARTITION BY series_id, year ORDER BY sequence) AS before
            FROM invoicing_invoice WHERE series_id IS NOT NULL
        ) n WHERE n.issued_on < n.before
    """


@invariant("D6", "a draft has no number, an issued document has one, its party and its day")
def numbers_mean_issued() -> str:
    return """
        SELECT id FROM invoicing_invoice
        WHERE (status IN ('draft', 'returned')) = (number <> '')
           OR (status = 'issued' AND (party IS NULL OR issued_on IS NULL OR due_on IS NULL))
    """


@invariant("D4b", "the file of every printed document is whole")
def files_are_there() -> str:
    return """
        SELECT i.id, i.number FROM invoicing_invoice i JOIN documents_storedfile f ON f.id = i.pdf_id
        WHERE encode(sha256(f.content), 'hex') <> f.sha256
    """


@invariant("L12", "what customers owe by open documents is what the books say they owe")
def receivables_agree() -> str:
    return """
        SELECT COALESCE(d.payer_id, b.account_id), COALESCE(d.currency, b.currency), d.owed, b.balance FROM (
            SELECT payer_id, currency, SUM(CASE kind WHEN 'invoice' THEN total - settled ELSE settled - total END) AS
            owed FROM invoicing_invoice WHERE status = 'issued' GROUP BY payer_id, currency
        ) d FULL JOIN (
            SELECT p.account_id, p.currency, SUM(p.amount) AS balance FROM ledger_posting p
            JOIN ledger_ledgeraccount a ON a.id = p.ledger_account_id AND a.role = 'receivable'
            GROUP BY p.account_id, p.currency
        ) b ON b.account_id = d.payer_id AND b.currency = d.currency
        WHERE COALESCE(d.owed, 0) <> COALESCE(b.balance, 0)
    """


@invariant("L13", "every issued document of ours is in the books exactly once")
def documents_are_posted() -> str:
    return """
        SELECT i.id, i.number FROM invoicing_invoice i
        LEFT JOIN ledger_journalentry e ON e.source = 'invoice:' || i.id::text
        WHERE i.status IN ('issued', 'void') AND e.id IS NULL
    """
