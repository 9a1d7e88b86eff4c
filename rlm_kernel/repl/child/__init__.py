"""The worker: what runs inside the child process. It imports the standard library and little else."""
