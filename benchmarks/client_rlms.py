"""The client process of PyPI `rlms`, at its defaults."""

from rlm import RLM
from rlm.logger import RLMLogger

from benchmarks.job import QUESTION, Job, serve_job


def ask(job: Job, context: str) -> str:
    """The answer of one run."""
    rlm = RLM(
        backend="openai",
        backend_kwargs={"model_name": "bench", "base_url": job.base_url, "api_key": "x"},
        environment="local",
        max_iterations=job.max_turns,
        logger=RLMLogger(log_dir=job.trace_dir) if job.trace_dir else None,
    )
    return str(rlm.completion(context, root_prompt=QUESTION).response)


if __name__ == "__main__":
    serve_job(ask)
