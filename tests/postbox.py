"""A real SMTP server for tests: it keeps what it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from deploy.local.process import free_port


class Kept(NamedTuple):
    """A message as it arrived."""

    to: list[str]
    message: EmailMessage
    over_tls: bool


class Postbox:
    """Attributes: port; sent: what arrived. Takes nothing for addresses that begin with `unknown`, or while `away`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.sent: list[Kept] = []
        self.away = False

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - the library's name
        if self.away or address.startswith("unknown"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.sent.append(Kept(envelope.rcpt_tos, message, session.ssl is not None))
        return "250 kept"


@contextmanager
def postbox(**settings: Any) -> Iterator[Postbox]:
    """One that runs; `settings` are those of `aiosmtpd.smtp.SMTP`."""
    box = Postbox()
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **settings)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
