"""Layers, image configurations and OCI layouts."""
