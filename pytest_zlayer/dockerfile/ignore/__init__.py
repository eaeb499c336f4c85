"""Ignore files."""
