"""Paths, listings and contents of file trees."""
