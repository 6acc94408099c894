"""When a person takes over, and when the case is closed."""
