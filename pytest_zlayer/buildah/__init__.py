"""The only door to the engine: argv, processes, errors, and what the installed buildah can do."""
