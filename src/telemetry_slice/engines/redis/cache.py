"""Answers shared by all processes.

An answer is kept with the tag that its tenant had before it was loaded; to forget a tenant is to give it another tag.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Any, TypeVar, cast

import msgspec

from ...model.events import TenantNo
from ...ports.cache import LONGEST_S, Cache
from .connection import OUTAGES, PREFIX, Argument, Connected, Link, Server, within

ANSWER_S = 0.05
TAG_BYTES = 8
NO_TAG = bytes(TAG_BYTES)

T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode


@lru_cache(100)
def _decoder(form: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(form)


class RedisCache(Connected):
    """The cache of several processes. `local`, which keeps nothing, lets one caller ask for all of this process.

    One call uses the connection at a time. When the server is away or slow, everything is loaded. What was to be
    forgotten meanwhile is forgotten before the server is asked again.
    """

    def __init__(self, url: str, local: Cache, *, answer_s: float = ANSWER_S) -> None:
        super().__init__("cache")
        self._server = Server(url)
        self._local = local
        self._answer_s = answer_s
        self._link: Link | None = None
        self._turn = asyncio.Lock()
        self._failure: asyncio.Future[None] | None = None
        self._unforgotten: set[TenantNo] = set()
        self._forgetting = asyncio.Event()

    async def get(
        self, tenant: TenantNo, question: str, form: type[T], max_age_s: float, load: Callable[[], Awaitable[T]]
    ) -> T:
        return await self._local.get(
            tenant, question, form, max_age_s, partial(self._find, tenant, question, form, max_age_s, load)
        )

    def forget(self, tenant: TenantNo) -> None:
        self._local.forget(tenant)
        self._unforgotten.add(tenant)
        self._forgetting.set()

    async def _find(
        self, tenant: TenantNo, question: str, form: type[T], max_age_s: float, load: Callable[[], Awaitable[T]]
    ) -> T:
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        tag_key, key = _keys(tenant, question)
        found = None if tenant in self._unforgotten else await self._ask("MGET", tag_key, key)
        if found is None:
            return await load()
        tag = found[0] or NO_TAG
        if found[1] is not None and found[1][:TAG_BYTES] == tag:
            try:
                known: T = _decoder(cast("Any", form)).decode(found[1][TAG_BYTES:])
            except msgspec.DecodeError:
                # Another release's idea of the answer.
                pass
            else:
                return known
        answer = await load()
        left_ms = int((asked_s + max_age_s - loop.time()) * 1000)
        if left_ms > 0:
            await self._ask("SET", key, tag + _encode(answer), "PX", left_ms)
        return answer

    async def _ask(self, *command: Argument) -> Any:
        """The server's answer; None when there is none."""
        async with self._turn:
            link = self._link
            if link is None:
                return None
            try:
                return (await within(self._answer_s, link.ask(command)))[0]
            except OUTAGES as error:
                self._fail(error)
                return None
            except BaseException:
                # Given up in the middle of an answer.
                self._fail(ConnectionError("an answer was not waited for"))
                raise

    def _fail(self, error: Exception) -> None:
        self._link = None
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def _live(self) -> None:
        link = await self._server.connect()
        self._failure = asyncio.get_running_loop().create_future()
        forgetting = asyncio.ensure_future(self._forget(link))
        try:
            await asyncio.wait((forgetting, self._failure), return_when=asyncio.FIRST_COMPLETED)
            for ended in (forgetting, self._failure):
                if ended.done():
                    ended.result()
        finally:
            self._link = None
            for ended in (forgetting, self._failure):
                ended.cancel()
            await asyncio.gather(forgetting, self._failure, return_exceptions=True)
            await link.close()

    async def _forget(self, link: Link) -> None:
        """Give new tags to those that are to be forgotten, from before the first question on."""
        while True:
            self._forgetting.clear()
            for tenant in tuple(self._unforgotten):
                tag = secrets.token_bytes(TAG_BYTES)
                async with self._turn:
                    # Longer than any answer is kept: one without a tag is none of an older one's.
                    command = ("SET", _keys(tenant, "")[0], tag, "EX", 2 * int(LONGEST_S))
                    await within(self._answer_s, link.ask(command))
                self._unforgotten.discard(tenant)
            self._link = link
            self._outage.end()
            await self._forgetting.wait()


def _keys(tenant: TenantNo, question: str) -> tuple[str, str]:
    digest = blake2b(question.encode(), digest_size=16).hexdigest()
    return f"{PREFIX}{{cache:{tenant}}}:tag", f"{PREFIX}{{cache:{tenant}}}:{digest}"
