"""The build checks."""
