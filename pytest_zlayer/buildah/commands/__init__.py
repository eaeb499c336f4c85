"""One function for each buildah command."""
