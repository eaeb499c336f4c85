"""Instructions and contexts become plans, steps and images."""
