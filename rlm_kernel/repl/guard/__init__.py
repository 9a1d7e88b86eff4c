"""What a worker puts on itself: limits, and the guard of the operating system."""
