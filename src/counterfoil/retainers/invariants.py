"""What must hold of retainers, time and expenses."""

from __future__ import annotations

from counterfoil.plumbing.invariants import invariant


@invariant("T1", "what a retainer bore of an entry is the sum of its draws, and never more than the entry")
def draws_sum_up() -> str:
    return """
        SELECT e.id, e.covered, COALESCE(d.sum, 0) FROM (
            SELECT id, retainer_id, covered, status, hours AS most, true AS is_time FROM retainers_timeentry
            UNION ALL SELECT id, retainer_id, covered, status, amount, false FROM retainers_expense
        ) e
        LEFT JOIN (SELECT COALESCE(time_id, expense_id) AS entry_id, SUM(quantity) AS sum,
                          (array_agg(DISTINCT retainer_id))[1] AS retainer_id, COUNT(DISTINCT retainer_id) AS retainers
                   FROM retainers_draw GROUP BY 1) d ON d.entry_id = e.id
        LEFT JOIN retainers_retainer r ON r.id = e.retainer_id
        WHERE e.covered <> COALESCE(d.sum, 0) OR (d.sum IS NOT NULL AND e.status <> 'settled')
           OR (d.retainer_id IS NOT NULL AND (d.retainers <> 1 OR d.retainer_id IS DISTINCT FROM e.retainer_id))
           OR (e.covered > e.most AND NOT (e.is_time AND r.unit = 'money'))
    """


@invariant("T2", "no period of a retainer gives more than it grants")
def grants_hold() -> str:
    return """
        SELECT d.retainer_id, d.granted_on, SUM(d.quantity), r.amount FROM retainers_draw d
        JOIN retainers_retainer r ON r.id = d.retainer_id
        GROUP BY d.retainer_id, d.granted_on, r.amount, r.starts_on, r.ends_on
        HAVING SUM(d.quantity) > r.amount OR d.granted_on < r.starts_on
            OR d.granted_on >= COALESCE(r.ends_on, 'infinity')
    """


@invariant("T3", "time and expenses that are billed stand on a line of their own account, company and currency")
def billed_stands_on_a_line() -> str:
    # The line of a draft that was discarded a moment ago is let go by the news of it. A recurring document may bill
    # several accounts of one payer.
    return """
        SELECT e.id, e.line_id FROM (
            SELECT id, account_id, entity_id, currency, invoice_id, line_id FROM retainers_timeentry
            UNION ALL SELECT id, account_id, entity_id, currency, invoice_id, line_id FROM retainers_expense
        ) e
        JOIN invoicing_invoiceline l ON l.id = e.line_id
        JOIN invoicing_invoice i ON i.id = l.invoice_id
        WHERE i.id <> e.invoice_id OR (i.account_id <> e.account_id AND i.origin <> 'subscription')
           OR (i.status IN ('issued', 'void') AND (i.entity_id <> e.entity_id OR i.currency <> e.currency))
    """


@invariant("T4", "what is settled without a line was borne by its retainer whole, or comes to nothing")
def settled_is_borne_or_billed() -> str:
    return """
        SELECT e.id, e.covered FROM retainers_timeentry e LEFT JOIN retainers_retainer r ON r.id = e.retainer_id
        WHERE e.status = 'settled' AND e.line_id IS NULL
          AND (r.id IS NULL OR r.unit = 'hours')
          AND ROUND((e.hours - e.covered) * COALESCE(r.overage_rate, e.rate, 0),
                    counterfoil_currency_decimals(e.currency)) <> 0
        UNION ALL
        SELECT e.id, e.covered FROM retainers_expense e
        WHERE e.status = 'settled' AND e.line_id IS NULL AND e.covered <> e.amount
    """
