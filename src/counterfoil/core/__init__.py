"""Pure Python: money, periods, ids, text, errors. No Django, no clock, no business noun."""
