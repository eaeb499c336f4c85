"""Finished layers, their locks and leases."""
