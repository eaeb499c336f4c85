"""Steps become layers: the executor, the stage executor, RUN."""
