"""The client process of `rlm_kernel`."""

from typing import Any

from benchmarks.job import QUESTION, Job, serve_job
from rlm_kernel import RLM


def ask(job: Job, context: str) -> str:
    """The answer of one run."""
    options: dict[str, Any] = {} if job.concurrency is None else {"concurrency": job.concurrency}
    rlm = RLM(
        model="bench",
        base_url=job.base_url,
        api_key="x",
        max_turns=job.max_turns,
        max_calls=5000,
        trace_dir=job.trace_dir,
        **options,
    )
    return str(rlm.run(QUESTION, context=context).answer)


if __name__ == "__main__":
    serve_job(ask)
