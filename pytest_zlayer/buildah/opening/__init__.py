"""Finding and opening the engine."""
