"""A page that shows every component of the surface, for looking at it and for axe. Never shipped."""
