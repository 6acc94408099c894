"""What must hold of documents, and of documents and books together."""

from __future__ import annotations

from counterfoil.invoicing.models import allowed_tax_sql, taxes_sql
from counterfoil.plumbing.invariants import invariant

# Every tax of every line, one row each. The usual line bears one, and is read without looking for more.
_BORNE = f"""(
    SELECT id, invoice_id, credits_line_id, net, tax_category AS category, tax_percent AS percent,
           tax_included AS included, 0 AS again, tax AS amount,
           CASE WHEN tax_included THEN tax_percent ELSE 0 END AS in_price,
           CASE WHEN tax_included THEN tax ELSE 0 END AS tax_in_price
    FROM invoicing_invoiceline WHERE more_taxes IS NULL
    UNION ALL
    SELECT m.id, m.invoice_id, m.credits_line_id, m.net, x.*
    FROM invoicing_invoiceline m JOIN LATERAL {taxes_sql("m")} x ON true WHERE m.more_taxes IS NOT NULL
)"""  # noqa: S608 - the alias of a table
_SAME = "({0}.category, {0}.percent, {0}.included, {0}.again) = ({1}.category, {1}.percent, {1}.included, {1}.again)"


@invariant("L6", "the lines and taxes of every document sum to its totals, and no issued total is negative")
def lines_and_taxes_add_up() -> str:
    return """
        SELECT i.id, i.number FROM invoicing_invoice i
        LEFT JOIN (SELECT invoice_id, SUM(net) AS net FROM invoicing_invoiceline GROUP BY invoice_id) l
          ON l.invoice_id = i.id
        LEFT JOIN (SELECT invoice_id, SUM(amount) AS tax, SUM(amount) FILTER (WHERE included) AS included
                   FROM invoicing_invoicetax GROUP BY invoice_id) t
          ON t.invoice_id = i.id
        WHERE COALESCE(l.net, 0) - COALESCE(t.included, 0) <> i.net OR COALESCE(t.tax, 0) <> i.tax
           OR i.net + i.tax <> i.total
           OR (i.status IN ('issued', 'void') AND i.total < 0)
    """


@invariant("L5b", "no amount of a line, a tax or an instalment has more decimals than its document's currency")
def parts_are_exact() -> str:
    return """
        SELECT i.id, i.number FROM invoicing_invoice i
        JOIN (SELECT invoice_id, net AS amount FROM invoicing_invoiceline
              UNION ALL SELECT invoice_id, tax FROM invoicing_invoiceline WHERE tax IS NOT NULL
              UNION ALL SELECT invoice_id, (one->>'amount')::numeric
                        FROM invoicing_invoiceline, jsonb_array_elements(more_taxes) one
                        WHERE one->>'amount' IS NOT NULL
              UNION ALL SELECT invoice_id, before_discount FROM invoicing_invoiceline WHERE before_discount IS NOT NULL
              UNION ALL SELECT invoice_id, base FROM invoicing_invoicetax
              UNION ALL SELECT invoice_id, amount FROM invoicing_invoicetax
              UNION ALL SELECT invoice_id, amount FROM invoicing_instalment) part ON part.invoice_id = i.id
        WHERE part.amount <> ROUND(part.amount, counterfoil_currency_decimals(i.currency))
    """


@invariant("L14", "no document is settled or credited below nothing, or beyond its total")
def settled_within_limits() -> str:
    return """
        SELECT id, number FROM invoicing_invoice
        WHERE settled < 0 OR credited < 0 OR (settled + credited > total AND status <> 'draft')
    """


@invariant("L7", "no more is taken back of a line than it says")
def credits_fit() -> str:
    return """
        SELECT c.id, c.net FROM invoicing_invoiceline l
        JOIN invoicing_invoice d ON d.id = l.invoice_id AND d.status = 'issued'
        JOIN invoicing_invoiceline c ON c.id = l.credits_line_id
        GROUP BY c.id, c.net
        HAVING SUM(CASE d.kind WHEN 'credit_note' THEN l.net ELSE -l.net END)
               NOT BETWEEN LEAST(c.net, 0) AND GREATEST(c.net, 0)
    """


@invariant("L7d", "of a line, credit notes and allowances together take off no more than it says")
def allowances_fit() -> str:
    return """
        SELECT c.id, c.net, a.said, b.net FROM invoicing_invoiceline c
        JOIN (SELECT line_id, SUM(said) AS said FROM invoicing_lineallowance GROUP BY line_id) a ON a.line_id = c.id
        LEFT JOIN (
            SELECT l.credits_line_id, SUM(l.net) AS net FROM invoicing_invoiceline l
            JOIN invoicing_invoice d ON d.id = l.invoice_id AND d.status = 'issued' AND d.kind = 'credit_note'
            WHERE l.credits_line_id IS NOT NULL GROUP BY 1
        ) b ON b.credits_line_id = c.id
        WHERE c.credits_line_id IS NULL
          AND a.said + COALESCE(b.net, 0) NOT BETWEEN LEAST(c.net, 0) AND GREATEST(c.net, 0)
    """


@invariant("L7b", "what lines take back whole, their tax takes back whole")
def whole_credits_take_the_whole_tax() -> str:
    return f"""
        SELECT t.invoice_id, t.category, t.percent FROM {_BORNE} c
        JOIN invoicing_invoicetax t ON t.invoice_id = c.invoice_id AND {_SAME.format("t", "c")}
        LEFT JOIN (
            SELECT l.credits_line_id, l.category, l.percent, l.included, l.again, SUM(l.net) AS net,
                   SUM(l.amount) AS tax, bool_and(d.kind = 'credit_note') AS is_noted
            FROM {_BORNE} l JOIN invoicing_invoice d ON d.id = l.invoice_id AND d.status = 'issued'
            WHERE l.credits_line_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5
        ) b ON b.credits_line_id = c.id AND {_SAME.format("b", "c")}
        LEFT JOIN (SELECT line_id, SUM(said) AS said FROM invoicing_lineallowance GROUP BY line_id) a
               ON a.line_id = c.id
        GROUP BY t.id, t.invoice_id, t.category, t.percent, t.included, t.again, t.amount
        HAVING bool_and(COALESCE(
                   b.net = c.net - COALESCE(a.said, 0) AND b.is_noted AND c.credits_line_id IS NULL, false
               ))
           AND SUM(b.tax) <> t.amount - COALESCE(({allowed_tax_sql("t")}), 0)
    """  # noqa: S608 - constants


@invariant("L7c", "no rate is given back with more tax than was charged, and a line bears the taxes that it takes back")
def credits_take_no_more_tax() -> str:
    return f"""
        SELECT t.invoice_id, t.category, t.percent FROM {_BORNE} l
        JOIN invoicing_invoice d ON d.id = l.invoice_id AND d.status = 'issued' AND d.kind = 'credit_note'
        JOIN invoicing_invoiceline c ON c.id = l.credits_line_id
        JOIN invoicing_invoicetax t ON t.invoice_id = c.invoice_id AND {_SAME.format("t", "l")}
        WHERE NOT EXISTS (
            SELECT 1 FROM invoicing_invoiceline b WHERE b.invoice_id = t.invoice_id AND b.credits_line_id IS NOT NULL
        )
        GROUP BY t.id, t.invoice_id, t.category, t.percent, t.included, t.again, t.amount
        HAVING SUM(l.amount) > t.amount - COALESCE(({allowed_tax_sql("t")}), 0)
        UNION ALL
        SELECT l.invoice_id, l.tax_category, l.tax_percent FROM invoicing_invoiceline l
        JOIN invoicing_invoiceline c ON c.id = l.credits_line_id
        JOIN invoicing_invoice d ON d.id = l.invoice_id AND d.status = 'issued'
        WHERE (SELECT array_agg((x.category, x.percent, x.included, x.again)) FROM {taxes_sql("l")} x)
              IS DISTINCT FROM (SELECT array_agg((x.category, x.percent, x.included, x.again)) FROM {taxes_sql("c")} x)
    """  # noqa: S608 - constants


@invariant(
    "L15", "what an invoice says is credited is what credit notes took off it, and each note is the sum of its parts"
)
def credits_sum_up() -> str:
    return """
        SELECT i.id, i.number FROM invoicing_invoice i
        LEFT JOIN (SELECT invoice_id, SUM(applied) AS applied FROM invoicing_credit GROUP BY invoice_id) c
          ON c.invoice_id = i.id
        LEFT JOIN (SELECT credit_note_id, SUM(amount) AS amount, SUM(applied) AS applied FROM invoicing_credit
                   GROUP BY credit_note_id) n ON n.credit_note_id = i.id
        WHERE i.credited <> COALESCE(c.applied, 0)
           OR (i.kind = 'credit_note' AND (n.amount IS DISTINCT FROM i.total OR i.settled < n.applied))
           OR (i.kind = 'invoice' AND n.amount IS NOT NULL)
    """


@invariant("L15b", "the tax of a credit note is that of its lines, and each of them takes back an issued one")
def notes_are_their_lines() -> str:
    return f"""
        SELECT i.id, i.number FROM invoicing_invoice i
        JOIN invoicing_invoiceline l ON l.invoice_id = i.id
        LEFT JOIN invoicing_invoiceline c ON c.id = l.credits_line_id
        LEFT JOIN invoicing_credit k ON k.credit_note_id = i.id AND k.invoice_id = c.invoice_id
        WHERE i.kind = 'credit_note' AND i.status = 'issued' AND (l.tax IS NULL OR k.id IS NULL)
        UNION ALL
        SELECT i.id, i.number FROM invoicing_invoice i
        JOIN (SELECT invoice_id, SUM(amount) AS tax FROM {_BORNE} b GROUP BY invoice_id) l ON l.invoice_id = i.id
        WHERE i.kind = 'credit_note' AND i.status = 'issued' AND l.tax <> i.tax
    """  # noqa: S608 - constants


@invariant("D3", "numbers are gapless and unique per series and year")
def numbers_have_no_gap() -> str:
    return """
        SELECT COALESCE(c.series_id, n.series_id), COALESCE(c.year, n.year), c.last, n.count
        FROM invoicing_seriescounter c
        FULL JOIN (
            SELECT series_id, year, COUNT(*) AS count, COUNT(DISTINCT sequence) AS distinct_count,
                   MIN(sequence) AS first, MAX(sequence) AS last
            FROM invoicing_invoice WHERE series_id IS NOT NULL GROUP BY series_id, year
        ) n ON n.series_id = c.series_id AND n.year = c.year
        WHERE c.last IS DISTINCT FROM n.last OR n.count <> n.last OR n.distinct_count <> n.count OR n.first <> 1
    """


@invariant("D5", "issue dates never run backward within a series and year")
def dates_follow_numbers() -> str:
    return """
        SELECT n.id, n.number FROM (
            SELECT id, number, issued_on,
                   LAG(issued_on) OVER (PARTITION BY series_id, year ORDER BY sequence) AS before
            FROM invoicing_invoice WHERE series_id IS NOT NULL
        ) n WHERE n.issued_on < n.before
    """


@invariant("D6", "a draft has no number; an issued document has one, with its party, its day and its due day")
def numbers_mean_issued() -> str:
    return """
        SELECT id FROM invoicing_invoice
        WHERE (status IN ('draft', 'returned')) = (number <> '')
           OR (status IN ('issued', 'void')
               AND (party IS NULL OR seller IS NULL OR issued_on IS NULL OR due_on IS NULL OR due_on < issued_on))
    """


@invariant("D7", "the tax bases of every document are the nets of its lines less the tax in them, rate by rate")
def bases_are_the_lines() -> str:
    # Where lines do not say their own tax and bear one in the price beside others, the parts that they have of its one
    # rounding are not kept: their base is looked at to a unit for each such part.
    return f"""
        WITH lines AS (
            SELECT invoice_id, category, percent, included, again, SUM(net) AS said, SUM(amount) AS tax,
                   bool_and(amount IS NOT NULL) AS is_known, SUM(net - tax_in_price) AS known,
                   SUM(net * 100 / (100 + in_price)) AS about
            FROM {_BORNE} b GROUP BY 1, 2, 3, 4, 5
        ), mixed AS (
            SELECT invoice_id, COUNT(*) AS parts FROM {_BORNE} b WHERE included AND invoice_id IN (
                SELECT invoice_id FROM invoicing_invoiceline WHERE more_taxes IS NOT NULL
            ) GROUP BY invoice_id
        )
        SELECT COALESCE(l.invoice_id, t.invoice_id), COALESCE(l.category, t.category), l.said, t.base
        FROM lines l FULL JOIN invoicing_invoicetax t ON t.invoice_id = l.invoice_id AND {_SAME.format("t", "l")}
        LEFT JOIN mixed m ON m.invoice_id = t.invoice_id
        LEFT JOIN invoicing_invoice i ON i.id = t.invoice_id
        WHERE l.invoice_id IS NULL OR t.id IS NULL OR CASE
            WHEN l.is_known THEN (l.known, l.tax) <> (t.base, t.amount)
            WHEN m.parts IS NULL THEN l.said <> t.base + CASE WHEN t.included THEN t.amount ELSE 0 END
            ELSE abs(l.about - t.base) > m.parts * power(0.1, counterfoil_currency_decimals(i.currency))
        END
    """  # noqa: S608 - constants


@invariant("D12", "an invoice's instalments are two or more, rise by due day, and make its total by its due day")
def instalments_make_the_whole() -> str:
    return """
        SELECT i.id, i.number, i.total, n.sum FROM invoicing_invoice i
        JOIN (
            SELECT invoice_id, SUM(amount) AS sum, MAX(due_on) AS last, MIN(due_on) AS first, COUNT(*) AS count,
                   array_agg(due_on ORDER BY position) = array_agg(due_on ORDER BY due_on) AS rises
            FROM invoicing_instalment GROUP BY invoice_id
        ) n ON n.invoice_id = i.id
        WHERE n.sum <> i.total OR n.last <> i.due_on OR n.first < i.issued_on OR n.count < 2 OR NOT n.rises
           OR i.status NOT IN ('issued', 'void')
    """


@invariant("D4b", "the file of every printed document is whole")
def files_are_whole() -> str:
    return """
        SELECT i.id, i.number FROM invoicing_invoice i JOIN documents_storedfile f ON f.id = i.pdf_id
        WHERE encode(sha256(f.content), 'hex') <> f.sha256
    """


@invariant("L12", "what customers owe by open documents is what the books say they owe, by company, payer and currency")
def receivables_agree() -> str:
    return """
        SELECT COALESCE(d.entity_id, b.entity_id), COALESCE(d.payer_id, b.account_id), COALESCE(d.currency, b.currency),
               d.owed, b.balance
        FROM (
            SELECT entity_id, payer_id, currency,
                   SUM(CASE kind WHEN 'invoice' THEN total - settled - credited ELSE settled - total END) AS owed
            FROM invoicing_invoice WHERE status = 'issued' GROUP BY entity_id, payer_id, currency
        ) d FULL JOIN (
            SELECT a.entity_id, p.account_id, p.currency, SUM(p.amount) AS balance FROM ledger_posting p
            JOIN ledger_ledgeraccount a ON a.id = p.ledger_account_id AND a.role = 'receivable'
            GROUP BY a.entity_id, p.account_id, p.currency
        ) b ON b.entity_id = d.entity_id AND b.account_id = d.payer_id AND b.currency = d.currency
        WHERE COALESCE(d.owed, 0) <> COALESCE(b.balance, 0)
    """


@invariant(
    "L13", "every issued document, unless it is of zero, is in the books once with its total; a void one is taken back"
)
def documents_are_posted() -> str:
    return """
        SELECT i.id, i.number FROM invoicing_invoice i
        LEFT JOIN ledger_journalentry e ON e.source = 'invoice:' || i.id::text
        LEFT JOIN ledger_journalentry v ON v.source = 'void:' || i.id::text
        LEFT JOIN LATERAL (
            SELECT SUM(p.amount) AS total FROM ledger_posting p
            JOIN ledger_ledgeraccount a ON a.id = p.ledger_account_id AND a.role = 'receivable'
            WHERE p.entry_id = e.id AND p.account_id = i.payer_id AND p.currency = i.currency
        ) posted ON true
        WHERE (i.status IN ('issued', 'void') AND (i.net <> 0 OR i.tax <> 0)) <> (e.id IS NOT NULL)
           OR (e.id IS NOT NULL AND COALESCE(posted.total, 0) * CASE i.kind WHEN 'invoice' THEN 1 ELSE -1 END <>
           i.total) OR (i.origin = 'imported' AND (i.status = 'void') <> (v.id IS NOT NULL))
    """
