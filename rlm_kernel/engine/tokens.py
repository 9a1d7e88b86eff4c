"""`Tokens`: the account of a run's tokens. The worst case of a request is reserved before it is sent, and settled after.

Runs on the engine's loop thread, so nothing can come between looking and reserving. What a reply may cost is not a
guess: the request carries it to the server as its cap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType

from rlm_kernel.errors import LimitExceeded, ModelError
from rlm_kernel.models import Reply, Request

REPLY_TOKENS = 8_192
"""The longest reply to a request of a run with a limit of tokens, where the settings name no maximum."""
LEAST_REPLY_TOKENS = 256
"""A reply that may be no longer than this is not worth asking for: the limit counts as reached."""

_TOKENS_PER_BYTE = 1 / 3
"""Where the reckoning starts: English is about 0.23, code 0.3, Chinese 0.4; a tokenizer of bytes cannot pass 1."""
_MOST_PER_BYTE = 1.0
_TOKENS_PER_MESSAGE = 8
_MOST_OVERHEAD = 10_000
_TELLING_BYTES = 2_000
"""In a shorter prompt the server's own words weigh more than those of the prompt."""
_GATEWAY_GAVE_UP = frozenset({408, 504, 524})


class Tokens:
    """What a run has used of its tokens, and what requests under way may still use.

    `used` is what replies cost; `lost` what requests may have cost whose replies nobody has seen.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = None if limit is None else int(limit)
        self.used = 0
        self.lost = 0
        self.reserved = 0
        self._waiting: deque[_Waiter] = deque()
        self._rate = _TOKENS_PER_BYTE
        self._overhead = _TOKENS_PER_MESSAGE
        self._overlong = 0

    @property
    def spent(self) -> int:
        """What counts against the limit for good."""
        return self.used + self.lost

    async def reserve(self, request: Request, *, beyond_limits: bool = False) -> Reservation:
        """The right to send the request. Waits where only requests under way leave no room; first come, first served.
        Raises `LimitExceeded` where there would be none without them either. With `beyond_limits` it never does.
        """
        if self.limit is None:
            return Reservation(self, request, sent=0, most=0)
        sent, most = self._reckoned(request), int(request.max_output_tokens or REPLY_TOKENS)
        if beyond_limits:
            return self._taken(request, sent, most)
        fits = None if self._waiting else self._fit(sent, most)
        if fits is not None:
            return self._taken(request, sent, fits)
        waiter = _Waiter(request, sent, most)
        self._waiting.append(waiter)
        try:
            return await waiter.served
        except asyncio.CancelledError:
            self._left(waiter)
            raise

    def close(self, reservation: Reservation, reply: Reply | None = None) -> None:
        """Ends a reservation, counts the reply, and lets others in."""
        self.reserved -= reservation.tokens
        if reply is not None:
            self.used += self._counted(reservation, reply)
        self._let_in()

    def _fit(self, sent: int, most: int) -> int | None:
        """How long the reply may be; None where requests under way must end first. Raises `LimitExceeded`."""
        assert self.limit is not None  # or nobody asks
        left = self.limit - self.spent - sent
        if max(most, self._overlong) <= left - self.reserved:
            return most
        least = min(most, LEAST_REPLY_TOKENS)
        if left < max(least, self._overlong):
            raise self._refusal(sent + least)
        # While others are under way, a shorter reply would be cut short for no reason: they may leave enough.
        return None if self.reserved else min(most, left)

    def _serve(self, waiter: _Waiter) -> bool:
        """Whether the waiter need not wait any more: it has a reservation, or the error that it can have none."""
        try:
            most = self._fit(waiter.sent, waiter.most)
        except LimitExceeded as error:
            waiter.served.set_exception(error)
            return True
        if most is None:
            return False
        waiter.served.set_result(self._taken(waiter.request, waiter.sent, most))
        return True

    def _let_in(self) -> None:
        while self._waiting:
            if not self._waiting[0].served.done() and not self._serve(self._waiting[0]):
                return
            self._waiting.popleft()

    def _left(self, waiter: _Waiter) -> None:
        if waiter.served.cancelled():
            self._let_in()  # it leaves the queue when it comes to its head
        elif waiter.served.exception() is None:  # it had been let in and was cancelled before it knew
            self.close(waiter.served.result())

    def _taken(self, request: Request, sent: int, most: int) -> Reservation:
        reservation = Reservation(self, request, sent=sent, most=most, overlong=self._overlong)
        self.reserved += reservation.tokens
        return reservation

    def _reckoned(self, request: Request) -> int:
        return self._overhead * len(request.messages) + int(_bytes(request) * self._rate) + 1

    def _counted(self, reservation: Reservation, reply: Reply) -> int:
        usage, request = reply.usage, reservation.request
        if not usage.requests:
            return 0  # a reply that was not asked for, but kept
        sent, made = max(0, usage.input_tokens), max(0, usage.output_tokens)
        if self.limit is None:
            return sent + made
        if usage.estimated or not sent:
            # The server does not say. Four characters a token is a fair guess, and a limit is not kept by fair ones.
            sent = max(sent, reservation.sent)
            made = max(made, int(len(reply.text.encode("utf-8", "surrogatepass")) * self._rate) + 1)
            return sent + made
        if usage.requests == 1:
            self._learn(request, sent, made)
        return sent + made

    def _learn(self, request: Request, sent: int, made: int) -> None:
        size, count = _bytes(request), len(request.messages)
        if request.output_cap is not None and made > request.output_cap:
            self._overlong = max(self._overlong, made)  # a server that does not keep to caps
        if sent <= self._overhead * count + size * self._rate:
            return
        if size >= _TELLING_BYTES:
            self._rate = max(self._rate, min((sent - self._overhead * count) / size, _MOST_PER_BYTE))
        else:
            overhead = -(-(sent - int(size * self._rate)) // max(1, count))
            self._overhead = max(self._overhead, min(overhead, _MOST_OVERHEAD))

    def _refusal(self, least: int) -> LimitExceeded:
        lost = f" (up to {self.lost:,} of them by requests without a reply)" if self.lost else ""
        return LimitExceeded(
            f"a request of at least {least:,} tokens would pass the run's limit: "
            f"{self.spent:,} of {self.limit:,} are used{lost}.",
            limit="max_tokens",
            used=self.spent,
            allowed=self.limit or 0,
        )


class Reservation:
    """What one request may use; a context while it is under way. `request` is what to send: it carries the cap."""

    __slots__ = ("_reply", "_tokens", "request", "sent", "tokens")

    def __init__(self, tokens: Tokens, request: Request, *, sent: int, most: int, overlong: int = 0) -> None:
        self._tokens = tokens
        self._reply: Reply | None = None
        self.sent = sent
        self.tokens = sent + max(most, overlong)
        self.request = replace(request, output_cap=most) if most else request

    def settle(self, reply: Reply) -> None:
        """Says what came."""
        self._reply = reply

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Around each time that the request is sent. One that may be billed though it brings no reply counts in full."""
        try:
            yield
        except BaseException as error:
            if may_be_billed(error):
                self._tokens.lost += self.tokens
            raise

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._tokens.close(self, self._reply)


class _Waiter:
    __slots__ = ("most", "request", "sent", "served")

    def __init__(self, request: Request, sent: int, most: int) -> None:
        self.request = request
        self.sent = sent
        self.most = most
        self.served: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()


def may_be_billed(error: BaseException) -> bool:
    """Whether a request that ended so may have cost something.

    A server that answers with an error has done no work, unless it is a gateway that gave up waiting for it. Anything
    else may have been cut off after the model had begun, and providers bill that; counted as nothing, code whose
    sub-calls are cut off again and again would spend without limit. So it counts as all that was reserved for it.
    """
    if not isinstance(error, ModelError):
        return True
    return error.sent if error.status is None else error.status in _GATEWAY_GAVE_UP


def _bytes(request: Request) -> int:
    return sum(
        len(text) if (text := message.content).isascii() else len(text.encode("utf-8", "surrogatepass"))
        for message in request.messages
    )


__all__ = ["LEAST_REPLY_TOKENS", "REPLY_TOKENS", "Reservation", "Tokens", "may_be_billed"]
