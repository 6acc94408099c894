"""Files of other systems: map, check, dry run, load, undo."""
