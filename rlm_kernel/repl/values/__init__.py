"""The variables of a child namespace on their way to a person: what the worker sent, checked and rebuilt as objects."""
