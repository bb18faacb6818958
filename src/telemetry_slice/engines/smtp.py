"""E-mail through an SMTP server."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

from ..model.errors import UnavailableError

TIMEOUT_S = 10.0
_PORTS = {"smtp": 587, "smtps": 465}


class SmtpPost:
    """`ports.post.Post` by one server, named as smtp://USER:PASSWORD@HOST:PORT, or smtps:// for TLS from the start.

    With smtp:// TLS is begun where the server offers it (STARTTLS), and a password is never sent without.
    """

    def __init__(self, url: str, sender: str, *, tls: ssl.SSLContext | None = None) -> None:
        named = urlsplit(url)
        self._implicit = named.scheme == "smtps"
        self._host = named.hostname or "localhost"
        self._port = named.port or _PORTS[named.scheme]
        self._user = unquote(named.username or "")
        self._password = unquote(named.password or "")
        self._sender = sender
        self._tls = tls or ssl.create_default_context()

    async def send(self, to: str, subject: str, text: str) -> None:
        message = EmailMessage()
        try:
            # Read as one address, whatever it contains.
            message["To"] = Address(addr_spec=to)
            message["From"] = self._sender
            message["Subject"] = subject
            message["Date"] = formatdate()
            message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2].strip("> "))
            message["Auto-Submitted"] = "auto-generated"
            message.set_content(text)
        except (ValueError, MessageError, IndexError) as error:
            raise UnavailableError(f"not an address to send to: {error}") from error
        await asyncio.to_thread(self._hand_over, to, message)

    def _hand_over(self, to: str, message: EmailMessage) -> None:
        try:
            with self._connection() as server:
                if not self._implicit:
                    server.ehlo()
                    if server.has_extn("starttls"):
                        server.starttls(context=self._tls)
                    elif self._user:
                        raise UnavailableError("the SMTP server offers no TLS: the password is not sent")
                if self._user:
                    server.login(self._user, self._password)
                server.send_message(message, to_addrs=[to])
        except (OSError, smtplib.SMTPException) as error:
            raise UnavailableError(f"the SMTP server did not take the message: {error}") from error

    def _connection(self) -> smtplib.SMTP:
        if self._implicit:
            return smtplib.SMTP_SSL(self._host, self._port, timeout=TIMEOUT_S, context=self._tls)
        return smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S)
