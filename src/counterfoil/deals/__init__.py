"""Pipelines, deals, readiness, the handoff."""
