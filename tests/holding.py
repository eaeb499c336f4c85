"""A program that holds a lock of the storage, as another engine does that has got stuck."""

from __future__ import annotations

# Its argument is the file; it writes a line when it has the lock.
HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "a+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""
