"""The child process that owns every command, and outlives its parent just long enough to clean up.

It runs as a script of its own (``python -I -S .../agent``), so these modules use nothing but the
standard library and each other.
"""
