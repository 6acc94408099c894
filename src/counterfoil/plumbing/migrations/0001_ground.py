"""What the database itself must bring: trusted extensions, the currencies' decimals, and the cache's table."""

from django.contrib.postgres.operations import BtreeGistExtension, TrigramExtension, UnaccentExtension
from django.db import migrations

# A frozen copy of ISO 4217; a test compares it with ``core.money``. A currency that is not listed has 2 decimals. Not
# STRICT: PostgreSQL then puts its text into the checks that call it, and calls nothing for each amount that is written.
DECIMALS = """
CREATE FUNCTION counterfoil_currency_decimals(currency text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN currency IS NULL THEN NULL
    WHEN currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV',
                      'XAF', 'XOF', 'XPF') THEN 0
    WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
    WHEN currency IN ('CLF', 'UYW') THEN 4
    ELSE 2
END;
"""

CACHE = """
CREATE UNLOGGED TABLE plumbing_cache (
    cache_key varchar(255) PRIMARY KEY,
    value text NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX plumbing_cache_expires ON plumbing_cache (expires);
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    # The rooms on which the others stand: their constraints need the extensions and the function above.
    run_before = [(room, "__first__") for room in ("access", "documents", "accounts", "catalog", "ledger")]
    operations = [
        TrigramExtension(),
        BtreeGistExtension(),
        UnaccentExtension(),
        migrations.RunSQL(DECIMALS, "DROP FUNCTION counterfoil_currency_decimals(text)"),
        migrations.RunSQL(CACHE, "DROP TABLE plumbing_cache"),
    ]
