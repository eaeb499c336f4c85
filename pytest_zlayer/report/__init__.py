"""Reports: one model of a run made from its events, and the forms it is written in."""
