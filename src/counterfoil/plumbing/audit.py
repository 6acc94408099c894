"""Triggers that write down every change of a record, whoever makes it: ORM, bulk update or bare SQL.

The rows go to ``access_change``. The triggers are statement-level with transition tables, so a statement that changes a
thousand rows costs one trigger call. Who, why and by which command comes from the setting ``counterfoil.context``,
which the command door sets for the transaction; a change made past the door is written down with an empty context.
"""

from __future__ import annotations

import pgtrigger

from counterfoil.plumbing.triggers import after_statement

_INSERT = """
INSERT INTO access_change (table_name, record_id, operation, before, after, context, at)
SELECT TG_TABLE_NAME, n.id, 'insert', NULL, to_jsonb(n) - {unlogged},
       COALESCE(NULLIF(current_setting('counterfoil.context', true), ''), '{{}}')::jsonb, clock_timestamp()
FROM new_rows n;
RETURN NULL;
"""

# Each row becomes JSON once: OFFSET 0 keeps the planner from doing it again for every column that is compared.
_UPDATE = """
INSERT INTO access_change (table_name, record_id, operation, before, after, context, at)
SELECT TG_TABLE_NAME, pair.id, 'update', changed.before, changed.after,
       COALESCE(NULLIF(current_setting('counterfoil.context', true), ''), '{{}}')::jsonb, clock_timestamp()
FROM (
    SELECT n.id, to_jsonb(o) - {unlogged} AS before, to_jsonb(n) - {unlogged} AS after
    FROM old_rows o JOIN new_rows n ON n.id = o.id
    OFFSET 0
) pair
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(b.key, b.value) AS before, jsonb_object_agg(b.key, pair.after -> b.key) AS after
    FROM jsonb_each(pair.before) b
    WHERE b.value IS DISTINCT FROM pair.after -> b.key
) changed
WHERE changed.before IS NOT NULL;
RETURN NULL;
"""

# Where only unlogged columns changed, no row becomes JSON. The columns are the table's own, so the comparison is made
# up for it; a tenth of the cost of turning rows into JSON for nothing.
_UNLESS_UNLOGGED = """
EXECUTE (
    SELECT format(
        'SELECT bool_or(ROW(%s) IS DISTINCT FROM ROW(%s)) FROM old_rows o JOIN new_rows n ON n.id = o.id',
        string_agg('o.' || quote_ident(a.attname), ', ' ORDER BY a.attnum),
        string_agg('n.' || quote_ident(a.attname), ', ' ORDER BY a.attnum)
    )
    FROM pg_attribute a
    WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL ({unlogged})
) INTO is_changed;
IF NOT is_changed THEN
    RETURN NULL;
END IF;
"""

# Where nothing but one column changed, only that one becomes JSON: a fifth of the cost for a wide row. The old row with
# the new values of that column and the unlogged ones is the new row, or there is more to write down.
_ALONE = """
SELECT bool_or(jsonb_populate_record(o, jsonb_build_object({pairs})) *<> n) INTO is_more
FROM old_rows o JOIN new_rows n ON n.id = o.id;
IF NOT is_more THEN
    INSERT INTO access_change (table_name, record_id, operation, before, after, context, at)
    SELECT TG_TABLE_NAME, n.id, 'update', jsonb_build_object('{alone}', o.{alone}),
           jsonb_build_object('{alone}', n.{alone}),
           COALESCE(NULLIF(current_setting('counterfoil.context', true), ''), '{{}}')::jsonb, clock_timestamp()
    FROM old_rows o JOIN new_rows n ON n.id = o.id
    WHERE o.{alone} IS DISTINCT FROM n.{alone};
    RETURN NULL;
END IF;
"""

_DELETE = """
INSERT INTO access_change (table_name, record_id, operation, before, after, context, at)
SELECT TG_TABLE_NAME, o.id, 'delete', to_jsonb(o) - {unlogged}, NULL,
       COALESCE(NULLIF(current_setting('counterfoil.context', true), ''), '{{}}')::jsonb, clock_timestamp()
FROM old_rows o;
RETURN NULL;
"""


def _statement(
    name: str,
    operation: pgtrigger.Operation,
    body: str,
    unlogged: tuple[str, ...],
    declare: list[tuple[str, str]] | None = None,
    **tables: str,
) -> pgtrigger.Trigger:
    columns = ", ".join(f"'{column}'" for column in unlogged)
    func = body.format(unlogged=f"ARRAY[{columns}]::text[]")
    return after_statement(name, operation, func, tables, declare)


def audit_changes(
    without: tuple[str, ...] = (), *, often: tuple[str, ...] = (), alone: str = ""
) -> list[pgtrigger.Trigger]:
    """Changes and deletes. For rows that are made in bulk and carry their command themselves.

    ``without`` names columns whose values must never be written down, such as password hashes. ``often`` names more of
    them, which change in bulk while the rest of the row stays: bookkeeping that follows from other tables. ``alone``
    names a column that is written down and changes in bulk while the rest of the row stays.
    """
    unlogged = ("version", *without, *often)
    pairs = ", ".join(f"'{column}', n.{column}" for column in (*unlogged, alone))
    body = (_UNLESS_UNLOGGED if often else "") + (_ALONE if alone else "") + _UPDATE
    declared = {"is_changed": often, "is_more": alone}
    update = _statement(
        "audit_update",
        pgtrigger.Update,
        body.replace("{pairs}", pairs).replace("{alone}", alone),
        unlogged,
        declare=[(name, "boolean") for name, is_needed in declared.items() if is_needed] or None,
        old="old_rows",
        new="new_rows",
    )
    return [
        update,
        _statement("audit_delete", pgtrigger.Delete, _DELETE, unlogged, old="old_rows"),
    ]


def audit_all(without: tuple[str, ...] = (), *, often: tuple[str, ...] = ()) -> list[pgtrigger.Trigger]:
    """Inserts too. For rows that a person's act makes."""
    insert = _statement("audit_insert", pgtrigger.Insert, _INSERT, ("version", *without, *often), new="new_rows")
    return [insert, *audit_changes(without, often=often)]


def append_only(name: str = "append_only") -> pgtrigger.Trigger:
    """Rows are added and never changed or removed."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete,
        func="RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'CF001';",
    )
