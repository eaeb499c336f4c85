"""The pytest plugin: hook implementations only."""
