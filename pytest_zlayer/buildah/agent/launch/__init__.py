"""What runs in front of a command of a container, and becomes it or starts it."""
