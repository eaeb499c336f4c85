"""The words of an instruction: quotes, variables, ``${...}``."""
