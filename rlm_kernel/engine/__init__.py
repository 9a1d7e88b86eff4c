"""Floor 2: the only control flow between model and code."""
