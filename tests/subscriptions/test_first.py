import pytest
from datetime import date
from subscriptions_world import item
def test_first(billing):
    billing.on = date(2026,1,15)
    s = billing.start(item("basic"), item("support"), item("calls"), anchor_day=1)
    billing.use(s, "calls", "1500")
    print(billing.books(), billing.subscription(s).due_at, billing.subscription(s).settled_to)
    assert billing.run("2026-01-31") == 0
    assert billing.run("2026-02-01") == 1
    assert billing.run("2026-02-01") == 0
    billing.on = date(2026,2,10)
    billing.change(s, item("pro"), item("support"), item("calls"))
    billing.run("2026-05-01")
    print("\n".join(billing.books()))
    print(billing.documents(), billing.events())
    assert 0
