"""Floor 1: where code runs. A worker imports from here too, so nothing is imported on the way in."""
