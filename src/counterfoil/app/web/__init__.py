"""Pages that belong to no room: Today, search, settings, logging in, health."""
