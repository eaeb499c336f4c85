"""Declarations and contexts become plans, steps, layers and images."""
