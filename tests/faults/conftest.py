"""The fault list has real kernels and real servers: those of the tests of a kernel."""

from test_kernel import FrontEnd, front_end, serve, session

__all__ = ["FrontEnd", "front_end", "serve", "session"]
