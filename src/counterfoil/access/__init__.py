"""Users, roles, field rights, API keys; the command door; the projection; the audit trail."""
