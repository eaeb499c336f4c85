"""File trees as the agent works on them: read as a container sees them, changed, removed."""
