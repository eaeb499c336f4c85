"""Files of container-structure-test: read with line numbers, checked as its docker driver does."""
