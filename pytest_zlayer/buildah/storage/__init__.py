"""Reading the records of the container storage."""
