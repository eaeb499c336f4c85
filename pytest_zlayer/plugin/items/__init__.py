"""Items of pytest that are no functions: tests of structure files, and build checks."""
