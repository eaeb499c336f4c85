"""Layers shared with other machines: where they are looked for, fetched, checked and sent."""
