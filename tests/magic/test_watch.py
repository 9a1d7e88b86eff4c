"""What a user is told when a run ends without an answer."""

from rlm_kernel.engine.prompts import HURRY
from rlm_kernel.errors import NoAnswer, ServerUnreachable
from rlm_kernel.magic.watch import explain


def test_at_a_limit_the_advice_is_to_raise_it() -> None:
    assert explain(NoAnswer("no answer: All turns are used.")) == (
        "no answer: All turns are used. The tree above and its trace are kept. "
        "Raise a limit (--max-turns, --max-calls, …) or ask a narrower question."
    )


def test_where_a_person_asked_for_the_answer_the_advice_is_to_wait_longer() -> None:
    said = explain(NoAnswer(f"no answer: {HURRY} The last turn gave none either."))
    assert said == (
        "no answer: A person asked for the answer now. The last turn gave none either. The tree above and its trace "
        "are kept. Run the cell again and let it work longer, or ask a narrower question."
    )


def test_where_no_limit_is_reached_there_is_no_advice_on_limits() -> None:
    assert explain(ServerUnreachable("no connection.", model="m")) == (
        "no connection. The tree above and its trace are kept."
    )
