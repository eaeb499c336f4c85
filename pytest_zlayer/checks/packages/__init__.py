"""The packages of an image, read from the databases that its package managers keep."""
