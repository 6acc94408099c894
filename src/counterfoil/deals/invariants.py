"""What must hold over all deals at any time."""

from __future__ import annotations

from counterfoil.plumbing.invariants import invariant


@invariant("B1", "every handoff has the draft, invoice and subscription it names, of that deal and quote version")
def handoffs_have_what_they_name() -> str:
    return """
        SELECT h.id, h.deal_id, h.quote_version
        FROM deals_handoff h
        LEFT JOIN invoicing_invoice i ON i.id = h.invoice_id
        LEFT JOIN subscriptions_subscription s ON s.id = h.subscription_id
        WHERE (h.invoice_id IS NOT NULL
               AND (i.id IS NULL OR i.deal_id <> h.deal_id OR i.quote_version <> h.quote_version))
           OR (h.subscription_id IS NOT NULL
               AND (s.id IS NULL OR s.deal_id <> h.deal_id OR s.quote_version <> h.quote_version))
    """


@invariant("B2", "every draft, invoice and subscription that comes from a deal has its handoff")
def documents_have_handoffs() -> str:
    return """
        SELECT i.id, i.deal_id, i.quote_version
        FROM invoicing_invoice i
        WHERE i.origin = 'deal'
          AND NOT EXISTS (SELECT 1 FROM deals_handoff h WHERE h.invoice_id = i.id AND h.deal_id = i.deal_id)
        UNION ALL
        SELECT s.id, s.deal_id, s.quote_version
        FROM subscriptions_subscription s
        WHERE s.deal_id IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM deals_handoff h WHERE h.subscription_id = s.id AND h.deal_id = s.deal_id)
    """


@invariant("B3", "a deal has at most one live draft or invoice")
def one_live_document() -> str:
    return """
        SELECT i.deal_id, count(*) AS live
        FROM invoicing_invoice i
        WHERE i.deal_id IS NOT NULL AND i.kind = 'invoice' AND i.status IN ('draft', 'issued')
        GROUP BY i.deal_id HAVING count(*) > 1
    """


@invariant("B4", "a deal that is not won has no live draft or invoice, and one that was won here has a handoff")
def status_agrees_with_handoff() -> str:
    return """
        SELECT d.id, d.status
        FROM deals_deal d
        WHERE (d.status <> 'won' AND EXISTS (
                SELECT 1 FROM invoicing_invoice i WHERE i.deal_id = d.id AND i.status IN ('draft', 'issued')))
           OR (d.status = 'won' AND NOT d.is_imported
               AND NOT EXISTS (SELECT 1 FROM deals_handoff h WHERE h.deal_id = d.id))
    """


@invariant("B5", "the amount of a deal with lines is the sum of its lines, each rounded")
def amount_is_the_sum() -> str:
    return """
        SELECT d.id, d.amount, sum(round(l.quantity * l.unit_price * (100 - l.discount_percent) / 100,
                                         counterfoil_currency_decimals(d.currency))) AS lines
        FROM deals_deal d JOIN deals_dealline l ON l.deal_id = d.id
        WHERE NOT d.is_imported
        GROUP BY d.id
        HAVING d.amount <> sum(round(l.quantity * l.unit_price * (100 - l.discount_percent) / 100,
                                     counterfoil_currency_decimals(d.currency)))
    """


@invariant("B6", "a deal stands in a stage of its own pipeline, of the kind that its status names")
def stage_agrees_with_status() -> str:
    return """
        SELECT d.id, d.status, s.kind
        FROM deals_deal d JOIN deals_stage s ON s.id = d.stage_id
        WHERE s.pipeline_id <> d.pipeline_id OR s.kind <> d.status
    """


@invariant("B7", "a deal has at most one subscription that goes on, and none bills beyond a draft that was not issued")
def one_subscription() -> str:
    return """
        SELECT s.deal_id, count(*) AS subscriptions
        FROM subscriptions_subscription s
        WHERE s.deal_id IS NOT NULL AND s.ends_at IS NULL
        GROUP BY s.deal_id HAVING count(*) > 1
        UNION ALL
        SELECT s.deal_id, count(*)
        FROM subscriptions_subscription s
        JOIN invoicing_invoice i ON i.deal_id = s.deal_id AND i.quote_version = s.quote_version
        JOIN subscriptions_billedperiod b ON b.subscription_id = s.id AND b.invoice_id <> i.id
        WHERE i.status IN ('draft', 'returned')
        GROUP BY s.deal_id
    """


@invariant("B8", "what is billed of a subscription that was taken back comes to nothing")
def taken_back_is_nothing() -> str:
    return """
        SELECT s.id, s.number, sum(b.net) AS billed
        FROM subscriptions_subscription s JOIN subscriptions_billedperiod b ON b.subscription_id = s.id
        WHERE s.deal_id IS NOT NULL AND s.ends_at <= s.starts_at AND NOT s.is_credited_at_end
        GROUP BY s.id, s.number HAVING sum(b.net) <> 0
    """
