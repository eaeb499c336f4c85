"""Values as they are written: ports, platforms, sizes, git and URL sources."""
