"""The views of this room, by subject."""
