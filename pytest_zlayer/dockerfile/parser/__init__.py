"""Text to typed instructions: BuildKit's phases "parse" and "instruction"."""
