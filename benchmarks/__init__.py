"""Speed and size of `rlm_kernel` beside PyPI `rlms`, on the same scripted work: `python -m benchmarks`."""
