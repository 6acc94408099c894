"""Notes, tasks, mail and the timeline of any record."""
