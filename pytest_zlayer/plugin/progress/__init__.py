"""Builds while they happen: live lines on a terminal, and the channel between processes."""
