"""Pages about users, keys, the audit log and one's own profile."""
