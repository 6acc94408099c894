"""Foundation: the record base, registries, the outbox, the clock, jobs, mail transport, embedded PostgreSQL."""
