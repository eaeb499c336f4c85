"""Build contexts, URLs, git repositories."""
