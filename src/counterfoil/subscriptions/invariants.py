"""What must hold of agreements, the ledger of billed periods, and the documents that bear it."""

from __future__ import annotations

from counterfoil.plumbing.invariants import invariant


@invariant("S1", "no stretch of a subscription's item is charged twice")
def charged_once() -> str:
    # Of an increase and a decrease within a period the larger quantity may be billed; never the sum of both. What is
    # billed beyond an end that gives nothing back stays. What a change takes back may wait for a document.
    return """
        SELECT a.item_id, a.starts_at, 'overlapping periods' AS what FROM subscriptions_billedperiod a
        JOIN subscriptions_billedperiod b ON b.item_id = a.item_id AND b.id > a.id
            AND b.starts_at < a.ends_at AND a.starts_at < b.ends_at
        WHERE a.kind = 'recurring' AND b.kind = 'recurring'
        UNION ALL
        SELECT p.item_id, p.starts_at, 'more than was agreed' FROM (
            SELECT m.item_id, m.starts_at, m.cell_starts_at, m.cell_ends_at, SUM(b.quantity) AS billed
            FROM (SELECT DISTINCT item_id, starts_at, cell_starts_at, cell_ends_at FROM subscriptions_billedperiod
                  WHERE kind <> 'usage') m
            JOIN subscriptions_billedperiod b ON b.item_id = m.item_id AND b.kind <> 'usage'
                AND b.starts_at <= m.starts_at AND b.ends_at > m.starts_at
            GROUP BY 1, 2, 3, 4
        ) p JOIN subscriptions_subscriptionitem i ON i.id = p.item_id
            JOIN subscriptions_subscription s ON s.id = i.subscription_id
        WHERE (p.cell_ends_at <= s.settled_to OR (s.increase = 'now' AND s.decrease = 'now')) AND p.billed > COALESCE((
            SELECT MAX(v.quantity) FROM subscriptions_itemversion v WHERE v.item_id = p.item_id
            AND v.starts_at < p.cell_ends_at
            AND (v.ends_at IS NULL OR v.ends_at > p.cell_starts_at OR NOT s.is_credited_at_end)), 0)
        UNION ALL
        SELECT u.item_id, u.cell_starts_at, 'more than was used' FROM (
            SELECT item_id, cell_starts_at, cell_ends_at, SUM(quantity) AS billed FROM subscriptions_billedperiod
            WHERE kind = 'usage' GROUP BY 1, 2, 3
        ) u WHERE u.billed > COALESCE((
            SELECT SUM(r.quantity) FROM subscriptions_usagerecord r WHERE r.item_id = u.item_id
            AND r.used_at >= u.cell_starts_at AND r.used_at < u.cell_ends_at), 0)
    """


@invariant("S2", "every amount in the ledger of billed periods stands on a line of its document, to the cent")
def ledger_is_on_documents() -> str:
    # A credit that takes back parts of several lines stands on as many; its row names the first of them. A subscription
    # whose draft was returned never ran: its rows stand on no issued document, and sum to nothing.
    return """
        WITH never_ran AS (
            SELECT s.id FROM subscriptions_subscription s
            WHERE s.ends_at = s.starts_at AND NOT s.is_credited_at_end AND NOT EXISTS (
                SELECT 1 FROM subscriptions_billedperiod b JOIN invoicing_invoice i ON i.id = b.invoice_id
                WHERE b.subscription_id = s.id AND i.status = 'issued'))
        SELECT b.id, b.net, l.net AS on_line, b.invoice_id FROM subscriptions_billedperiod b
        LEFT JOIN invoicing_invoiceline l ON l.id = b.line_id
        LEFT JOIN invoicing_invoice i ON i.id = l.invoice_id
        WHERE b.kind <> 'moved' AND NOT EXISTS (SELECT 1 FROM never_ran n WHERE n.id = b.subscription_id) AND (
           (b.net <> 0 AND l.id IS NULL) OR (b.net = 0 AND b.line_id IS NOT NULL)
           OR (l.id IS NOT NULL AND (
                l.invoice_id IS DISTINCT FROM b.invoice_id OR i.status NOT IN ('draft', 'issued')
                OR l.subscription_id IS DISTINCT FROM b.subscription_id
                OR abs(l.net) <> COALESCE((b.credits -> 0 ->> 1)::numeric, abs(b.net)))))
        UNION ALL
        SELECT n.id, SUM(b.net), 0, NULL FROM subscriptions_billedperiod b JOIN never_ran n ON n.id = b.subscription_id
        GROUP BY n.id HAVING SUM(b.net) <> 0
        UNION ALL
        SELECT b.subscription_id, SUM(b.net), 0, NULL FROM subscriptions_billedperiod b
        WHERE b.kind = 'moved' GROUP BY b.subscription_id HAVING SUM(b.net) <> 0 OR SUM(b.quantity) <> 0
    """


@invariant("S3", "every line of a document that bills a subscription is in the ledger of billed periods")
def documents_are_in_the_ledger() -> str:
    # A credit that takes back several lines of its own document stands on as many; its row names the first of them.
    return """
        SELECT l.id, l.invoice_id, l.subscription_id FROM invoicing_invoiceline l
        WHERE l.subscription_id IS NOT NULL AND l.credits_line_id IS NULL
          AND NOT EXISTS (SELECT 1 FROM subscriptions_billedperiod b WHERE b.line_id = l.id)
          AND NOT (l.kind = 'proration_credit' AND EXISTS (
            SELECT 1 FROM subscriptions_billedperiod b WHERE b.invoice_id = l.invoice_id
            AND b.item_id = l.subscription_item_id AND jsonb_array_length(b.credits) > 1))
    """


@invariant("S4", "never more is given back of a period, or of a line, than was billed")
def credits_are_covered() -> str:
    return """
        SELECT item_id, cell_starts_at::text AS what, SUM(net) AS left FROM subscriptions_billedperiod
        GROUP BY item_id, cell_starts_at HAVING SUM(net) < 0
        UNION ALL
        SELECT b.item_id, b.line_id::text, b.net - c.given FROM subscriptions_billedperiod b JOIN (
            SELECT (part ->> 0)::uuid AS line_id, SUM((part ->> 1)::numeric * -sign(net)) AS given
            FROM subscriptions_billedperiod, jsonb_array_elements(credits) AS part GROUP BY 1
        ) c ON c.line_id = b.line_id
        WHERE c.given > b.net
        UNION ALL
        SELECT b.item_id, 'parts', b.net FROM subscriptions_billedperiod b
        WHERE jsonb_array_length(b.credits) > 0 AND abs(b.net) <> (
            SELECT SUM((part ->> 1)::numeric) FROM jsonb_array_elements(b.credits) AS part)
    """


@invariant("S5", "no run ends while a subscription that was due before it is neither billed nor parked")
def nothing_is_passed_over() -> str:
    # What a won deal started waits until the drafts that bill it are issued.
    return """
        SELECT s.id, s.number, s.due_at, r.on FROM subscriptions_subscription s
        JOIN subscriptions_billingrun r ON r.state = 'done'
            AND r.on::timestamp AT TIME ZONE 'UTC' > s.due_at + interval '1 day'
            AND r.created_at > s.created_at
        WHERE s.parked_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM subscriptions_runparking p
                          WHERE p.subscription_id = s.id AND p.parked_at >= r.created_at)
          AND NOT EXISTS (SELECT 1 FROM subscriptions_runparking p WHERE p.subscription_id = s.id AND p.run_id = r.id)
          AND NOT EXISTS (SELECT 1 FROM subscriptions_usagerecord u
                          JOIN subscriptions_subscriptionitem i ON i.id = u.item_id
                          WHERE i.subscription_id = s.id AND u.recorded_at >= r.created_at)
          AND (s.deal_id IS NULL OR NOT EXISTS (
              SELECT 1 FROM invoicing_invoice i WHERE i.deal_id = s.deal_id AND i.quote_version = s.quote_version
              AND (i.status IN ('draft', 'returned') OR i.issued_at >= r.created_at)
          ) AND NOT EXISTS (
              SELECT 1 FROM subscriptions_billedperiod b JOIN invoicing_invoice i ON i.id = b.invoice_id
              WHERE b.subscription_id = s.id AND (i.status = 'draft' OR i.issued_at >= r.created_at)))
    """


@invariant("S6", "a subscription that goes on has a day on which it is billed next")
def nothing_falls_silent() -> str:
    return """
        SELECT s.id, s.number FROM subscriptions_subscription s
        WHERE s.due_at IS NULL AND s.ends_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM subscriptions_pause p WHERE p.subscription_id = s.id
                          AND (p.ends_at IS NULL OR (p.mode = 'extend' AND NOT p.is_over)))
          AND EXISTS (SELECT 1 FROM subscriptions_itemversion v
                      JOIN subscriptions_subscriptionitem i ON i.id = v.item_id
                      WHERE i.subscription_id = s.id AND v.ends_at IS NULL AND (v.quantity > 0 OR i.is_metered))
    """


@invariant("S7", "a row of the ledger bills an item of its own subscription, within its period and after its start")
def ledger_fits_agreements() -> str:
    return """
        SELECT b.id, b.item_id FROM subscriptions_billedperiod b
        JOIN subscriptions_subscriptionitem i ON i.id = b.item_id
        JOIN subscriptions_subscription s ON s.id = b.subscription_id
        WHERE i.subscription_id <> b.subscription_id OR b.starts_at < s.starts_at
           OR b.starts_at < b.cell_starts_at OR b.ends_at > b.cell_ends_at
    """


@invariant("S8", "a run says how many documents it made and which subscriptions it held back")
def runs_are_noted() -> str:
    return """
        SELECT r.id, r.documents, COALESCE(b.made, 0) AS made, r.parked, COALESCE(p.held, 0) AS held
        FROM subscriptions_billingrun r
        LEFT JOIN (SELECT run_id, COUNT(DISTINCT invoice_id) AS made FROM subscriptions_billedperiod
                   WHERE run_id IS NOT NULL GROUP BY 1) b ON b.run_id = r.id
        LEFT JOIN (SELECT run_id, COUNT(*) AS held FROM subscriptions_runparking GROUP BY 1) p ON p.run_id = r.id
        WHERE r.documents <> COALESCE(b.made, 0) OR r.parked <> COALESCE(p.held, 0)
    """
