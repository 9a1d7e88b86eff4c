"""What the scripted model says in each measure, and the answer that proves its blocks were executed."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Script:
    """The replies to a run's root turns, the latency of its sub-calls, and what the run must come to."""

    replies: tuple[str, ...]
    expected_answer: str
    expected_sub_calls: int = 0
    latency_s: float = 0.0


def block(code: str) -> str:
    """A reply that holds `code` as one block."""
    return f"Next step.\n```repl\n{code}\n```"


def answering(expression: str) -> str:
    """A reply that ends the run with the value of `expression`."""
    return block(f'answer["content"] = str({expression})\nanswer["ready"] = True')


def reads_context(context_mb: int) -> Script:
    """Two turns that show the context has arrived."""
    replies = (block("print(len(context))"), answering("len(context)"))
    return Script(replies=replies, expected_answer=str(context_mb * 1_000_000))


def prints_each_turn(turns: int, *, chars: int) -> Script:
    """`turns` turns that print about `chars` characters each, then the answer."""
    # Each turn prints another text: equal ones could be stored once, which is not what is measured.
    printing = [block(f"print('{turn:03d} ' * {max(chars // 4, 1)})") for turn in range(turns)]
    return Script(replies=(*printing, answering("'done'")), expected_answer="done")


def asks_in_sequence(sub_calls: int) -> Script:
    """One block of `sub_calls` sub-calls, one after the other."""
    code = f'replies = [llm_query(f"Question {{i}}?") for i in range({sub_calls})]'
    return _sub_calling(code, sub_calls, latency_s=0.0)


def asks_in_batch(sub_calls: int, *, latency_s: float) -> Script:
    """One block with one batch of `sub_calls` sub-calls."""
    code = f'replies = llm_query_batched([f"Question {{i}}?" for i in range({sub_calls})])'
    return _sub_calling(code, sub_calls, latency_s=latency_s)


def _sub_calling(code: str, sub_calls: int, *, latency_s: float) -> Script:
    counting = answering('sum(reply == "short answer" for reply in replies)')
    return Script(
        replies=(block(code), counting),
        expected_answer=str(sub_calls),
        expected_sub_calls=sub_calls,
        latency_s=latency_s,
    )
