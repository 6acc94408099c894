"""What must hold of money received."""

from __future__ import annotations

from counterfoil.plumbing.invariants import invariant


@invariant("L9a", "what a payment has allocated is the sum of its allocations, and never more than its amount")
def payments_sum_up() -> str:
    return """
        SELECT p.id, p.amount, p.allocated FROM payments_payment p
        LEFT JOIN payments_allocation a ON a.payment_id = p.id
        GROUP BY p.id HAVING p.allocated <> COALESCE(SUM(a.amount), 0) OR p.allocated > p.amount
    """


@invariant("L9b", "what an invoice says is settled is the sum of its allocations and allowances")
def invoices_sum_up() -> str:
    return """
        SELECT i.id, i.number, i.settled, COALESCE(a.sum, 0) AS allocated FROM invoicing_invoice i
        LEFT JOIN (SELECT invoice_id, SUM(amount) AS sum FROM (
                       SELECT invoice_id, amount FROM payments_allocation
                       UNION ALL SELECT invoice_id, amount FROM payments_allowance) part GROUP BY invoice_id) a
               ON a.invoice_id = i.id
        WHERE i.kind = 'invoice' AND i.settled <> COALESCE(a.sum, 0)
    """


@invariant("L9d", "an allowance is within its invoice's early discount, of money that came in time, and ends whole")
def allowances_fit() -> str:
    return """
        SELECT a.id, a.invoice_id FROM payments_allowance a
        JOIN payments_allocation l ON l.id = a.allocation_id
        JOIN payments_payment p ON p.id = l.payment_id
        JOIN invoicing_invoice i ON i.id = a.invoice_id
        LEFT JOIN payments_allowance u ON u.id = a.undoes_id
        LEFT JOIN (SELECT invoice_id, SUM(amount) AS sum FROM payments_allowance GROUP BY invoice_id) s
               ON s.invoice_id = i.id
        WHERE l.invoice_id <> a.invoice_id OR a.currency <> i.currency OR l.undoes_id IS NOT NULL
           OR p.received_on > COALESCE(i.early_discount_until, '-infinity')
           OR s.sum < 0 OR s.sum > COALESCE(i.early_discount_amount, 0)
           OR (a.undoes_id IS NULL AND NOT EXISTS (
                  SELECT 1 FROM invoicing_invoicetax t WHERE t.invoice_id = i.id
                  AND t.category = a.tax_category AND t.percent = a.tax_percent))
           OR (u.id IS NOT NULL AND ((u.net, u.tax) <> (-a.net, -a.tax) OR u.allocation_id <> a.allocation_id
                                     OR u.undoes_id IS NOT NULL))
    """


@invariant("L9g", "an allowance is by its lines what it is by its rates")
def allowances_are_their_lines() -> str:
    return """
        SELECT COALESCE(r.allocation_id, l.source_id), r.net, l.net, r.tax, l.tax FROM (
            SELECT allocation_id, undoes_id IS NOT NULL AS ends, tax_category, tax_percent, SUM(net) AS net,
                   SUM(tax) AS tax
            FROM payments_allowance GROUP BY 1, 2, 3, 4
        ) r FULL JOIN (
            SELECT source_id, ends, category, percent, SUM(net) AS net, SUM(tax) AS tax
            FROM invoicing_lineallowance GROUP BY 1, 2, 3, 4 HAVING SUM(net + tax) <> 0
        ) l ON (l.source_id, l.ends, l.category, l.percent)
             = (r.allocation_id, r.ends, r.tax_category, r.tax_percent)
        WHERE (r.net, r.tax) IS DISTINCT FROM (l.net, l.tax)
    """


@invariant("L9e", "an allowance stands only while its allocation does and its invoice is settled")
def allowances_are_earned() -> str:
    return """
        SELECT a.id, a.invoice_id FROM payments_allowance a
        JOIN invoicing_invoice i ON i.id = a.invoice_id
        WHERE a.undoes_id IS NULL AND NOT EXISTS (SELECT 1 FROM payments_allowance u WHERE u.undoes_id = a.id)
          AND (i.settled < i.total - i.credited
               OR EXISTS (SELECT 1 FROM payments_allocation l WHERE l.undoes_id = a.allocation_id))
    """


@invariant("L9f", "the books hold the net and the tax of each allowance, and take them back with it")
def allowances_are_posted() -> str:
    return """
        SELECT COALESCE(m.source, b.source), m.net, b.net, m.tax, b.tax FROM (
            SELECT 'allowance:' || allocation_id || CASE WHEN undoes_id IS NULL THEN '' ELSE ':undone' END AS source,
                   SUM(net) AS net, SUM(tax) AS tax, -SUM(amount) AS owed
            FROM payments_allowance GROUP BY 1
        ) m FULL JOIN (
            SELECT e.source, COALESCE(SUM(g.amount) FILTER (WHERE l.role = 'revenue'), 0) AS net,
                   COALESCE(SUM(g.amount) FILTER (WHERE l.role = 'tax_payable'), 0) AS tax,
                   COALESCE(SUM(g.amount) FILTER (WHERE l.role = 'receivable'), 0) AS owed
            FROM ledger_journalentry e JOIN ledger_posting g ON g.entry_id = e.id
            JOIN ledger_ledgeraccount l ON l.id = g.ledger_account_id
            WHERE e.source LIKE 'allowance:%' GROUP BY e.source
        ) b ON b.source = m.source
        WHERE (m.net, m.tax, m.owed) IS DISTINCT FROM (b.net, b.tax, b.owed)
    """


@invariant("L9c", "money settles invoices of its own company and currency, and a counter-entry takes back one whole")
def allocations_fit() -> str:
    return """
        SELECT a.id FROM payments_allocation a
        JOIN payments_payment p ON p.id = a.payment_id
        JOIN invoicing_invoice i ON i.id = a.invoice_id
        LEFT JOIN payments_allocation u ON u.id = a.undoes_id
        WHERE a.currency <> p.currency OR a.currency <> i.currency OR p.entity_id <> i.entity_id
           OR (u.id IS NOT NULL AND (u.amount <> -a.amount OR u.invoice_id <> a.invoice_id
                                     OR u.payment_id <> a.payment_id))
    """


@invariant("L10a", "customer credit in the books is the money that is not allocated, by payer, company and currency")
def credit_agrees() -> str:
    return """
        SELECT COALESCE(b.entity_id, m.entity_id), COALESCE(b.account_id, m.payer_id), b.balance, m.rest
        FROM (SELECT l.entity_id, p.account_id, p.currency, -SUM(p.amount) AS balance
              FROM ledger_posting p JOIN ledger_ledgeraccount l ON l.id = p.ledger_account_id
              WHERE l.role = 'customer_credit' GROUP BY 1, 2, 3 HAVING SUM(p.amount) <> 0) b
        FULL JOIN (SELECT entity_id, payer_id, currency, SUM(amount - allocated) AS rest FROM payments_payment
                   WHERE status = 'received' GROUP BY 1, 2, 3 HAVING SUM(amount - allocated) <> 0) m
          ON (m.entity_id, m.payer_id, m.currency) = (b.entity_id, b.account_id, b.currency)
        WHERE b.balance IS DISTINCT FROM m.rest
    """


@invariant("L10b", "receivables in the books are the open documents, by payer, company and currency")
def receivables_agree() -> str:
    return """
        SELECT COALESCE(b.entity_id, o.entity_id), COALESCE(b.account_id, o.payer_id), b.balance, o.open
        FROM (SELECT l.entity_id, p.account_id, p.currency, SUM(p.amount) AS balance
              FROM ledger_posting p JOIN ledger_ledgeraccount l ON l.id = p.ledger_account_id
              WHERE l.role = 'receivable' GROUP BY 1, 2, 3 HAVING SUM(p.amount) <> 0) b
        FULL JOIN (SELECT entity_id, payer_id, currency, SUM(left_over) AS open FROM (
                       SELECT entity_id, payer_id, currency, CASE kind
                                  WHEN 'invoice' THEN total - settled - credited ELSE settled - total END AS left_over
                       FROM invoicing_invoice WHERE status = 'issued'
                   ) i GROUP BY 1, 2, 3 HAVING SUM(left_over) <> 0) o
          ON (o.entity_id, o.payer_id, o.currency) = (b.entity_id, b.account_id, b.currency)
        WHERE b.balance IS DISTINCT FROM o.open
    """


@invariant("L11", "the books hold exactly the money of each payment that is there, and none of one that ended")
def books_hold_the_money() -> str:
    return """
        SELECT p.id, p.status, p.amount, COALESCE(b.balance, 0) FROM payments_payment p
        LEFT JOIN (SELECT e.document_id, SUM(g.amount) AS balance
                   FROM ledger_journalentry e JOIN ledger_posting g ON g.entry_id = e.id
                   JOIN ledger_ledgeraccount l ON l.id = g.ledger_account_id
                   WHERE l.role IN ('bank', 'cash', 'clearing') GROUP BY 1) b ON b.document_id = p.id
        WHERE COALESCE(b.balance, 0)
           <> CASE WHEN p.status = 'received' AND p.method <> 'credit_note' THEN p.amount ELSE 0 END
    """
