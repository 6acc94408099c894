"""Retainers, time and expenses on the screen."""
