"""The builds of one process, from opening the engine to removing what is left."""
