"""The edge: settings, addresses, API, command line, home page and search."""
