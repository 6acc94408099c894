"""The settings pages of our own companies."""
