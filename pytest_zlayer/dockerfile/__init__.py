"""The Dockerfile language: text becomes typed instructions. Pure: no files, no processes."""
