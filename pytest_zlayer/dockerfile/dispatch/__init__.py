"""An instruction and a stage's state become an operation and the next state."""
