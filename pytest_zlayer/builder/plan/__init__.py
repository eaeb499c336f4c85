"""A declaration becomes stages, and stages become steps with cache keys."""
