"""The mail transport: hands one message to the SMTP server that ``EMAIL_URL`` names and says what became of it.

It writes nothing down and decides nothing about wording, recipients or repetition: that is ``activities``. A message
counts as sent only after the server's 250 to the whole of it; when the connection breaks between the last byte and that
answer, the outcome is *unknown* and not a failure, because the server may have taken the message.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from enum import StrEnum
from urllib.parse import parse_qs, unquote, urlsplit

TIMEOUT_SECONDS = 30.0
LAST_ANSWER_SECONDS = 120.0


class Outcome(StrEnum):
    """What became of a message for one recipient."""

    SENT = "sent"  # the server answered 250 to the message
    KEPT = "kept"  # there is no EMAIL_URL: nothing was handed to anybody
    TEMPORARY = "temporary"  # refused for now, or the server could not be reached: try again later
    REFUSED = "refused"  # refused for good
    UNKNOWN = "unknown"  # the connection broke while the server was taking the message


@dataclass(frozen=True)
class Delivery:
    """The outcome for one recipient, with the server's code and words where it gave some."""

    outcome: Outcome
    code: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Transport:
    """Where mail goes. ``encryption`` is ``starttls`` (required), ``tls`` (from the first byte) or ``none``."""

    host: str
    port: int
    encryption: str
    user: str = ""
    password: str = ""
    verify: bool = True
    timeout: float = TIMEOUT_SECONDS

    @property
    def name(self) -> str:
        """How people may be told of it: without the password."""
        return f"{self.host}:{self.port}"


class BadEmailUrl(ValueError):
    """``EMAIL_URL`` cannot be understood; the message says what is wrong and never repeats the password."""


def transport_from(url: str) -> Transport | None:
    """The transport of ``EMAIL_URL``; ``None`` for an empty one.

    ``smtp://user:password@host:587`` speaks STARTTLS and refuses to go on without it; ``smtps://`` speaks TLS from the
    first byte. ``?tls=no`` switches encryption off, which is meant for a server on the same machine; ``?verify=no``
    accepts any certificate.
    """
    if not url.strip():
        return None
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise BadEmailUrl("EMAIL_URL has a port that is not a number.") from None
    if parts.scheme not in ("smtp", "smtps"):
        raise BadEmailUrl("EMAIL_URL must begin with smtp:// or smtps://.")
    if not parts.hostname:
        raise BadEmailUrl("EMAIL_URL names no host: smtp://user:password@mail.example.com:587.")
    asked = {name: values[-1].lower() for name, values in parse_qs(parts.query).items()}
    for name in asked.keys() - {"tls", "verify", "timeout"}:
        raise BadEmailUrl(f"EMAIL_URL has the unknown option “{name}”; it takes tls, verify and timeout.")
    if parts.scheme == "smtps":
        encryption = "tls"
    else:
        encryption = "none" if asked.get("tls") in ("no", "none", "0", "false") else "starttls"
    timeout = asked.get("timeout", "")
    if timeout and not timeout.isdecimal():
        raise BadEmailUrl("EMAIL_URL's timeout must be a number of seconds.")
    return Transport(
        host=parts.hostname,
        port=port or {"tls": 465, "starttls": 587, "none": 25}[encryption],
        encryption=encryption,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        verify=asked.get("verify") not in ("no", "0", "false"),
        timeout=int(timeout) if timeout else TIMEOUT_SECONDS,
    )


def send(
    message: EmailMessage, sender: str, recipients: Sequence[str], transport: Transport | None
) -> Mapping[str, Delivery]:
    """Hand the message to the server, once for all recipients, and answer for each of them.

    ``sender`` and ``recipients`` are the envelope's bare addresses; the headers are the message's own affair. An
    address or header with a line break is refused before anything is sent. Never raises for what the server or the
    network does.
    """
    if transport is None:
        return dict.fromkeys(recipients, Delivery(Outcome.KEPT))
    unfit = {address: _unfit(address) for address in recipients}
    answers = {address: Delivery(Outcome.REFUSED, None, why) for address, why in unfit.items() if why}
    wanted = {address: _envelope(address) for address, why in unfit.items() if not why}
    try:
        _refuse_line_breaks(message, sender)
        international = not all(address.isascii() for address in (_envelope(sender), *wanted.values()))
        content = message.as_bytes(policy=SMTPUTF8 if international else SMTP.clone(cte_type="7bit"))
    except (ValueError, UnicodeError) as error:
        return answers | dict.fromkeys(wanted, Delivery(Outcome.REFUSED, None, str(error)))
    if wanted:
        conversation = _Conversation(transport, international)
        taken = conversation.deliver(content, _envelope(sender), list(dict.fromkeys(wanted.values())))
        answers |= {address: taken[envelope] for address, envelope in wanted.items()}
    return {address: answers[address] for address in recipients}


def _unfit(address: str) -> str:
    if any(character in address for character in "\r\n\0<> ") or address.count("@") != 1:
        return "This is not an e-mail address."
    return ""


def _envelope(address: str) -> str:
    """The address for the envelope: a domain with letters beyond a–z as the DNS spells it."""
    local, _, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address


def _refuse_line_breaks(message: EmailMessage, sender: str) -> None:
    """Python refuses line breaks in headers that are set by name; those of parsed or copied ones are found here."""
    if why := _unfit(sender):
        raise ValueError(f"The sender's address cannot be used: {why}")
    for part in message.walk():
        for name, value in part.raw_items():
            if any(character in str(value) for character in "\r\n\0"):
                raise ValueError(f"The header {name} holds a line break.")


class _Conversation:
    """One connection to the server and what it answered."""

    def __init__(self, transport: Transport, international: bool) -> None:
        self._transport = transport
        self._international = international

    def deliver(self, content: bytes, sender: str, recipients: Sequence[str]) -> dict[str, Delivery]:
        """What goes wrong before the envelope is about the server or our settings, not about the message: try again
        later.
        """
        try:
            server = self._connect()
        except smtplib.SMTPResponseException as error:
            return dict.fromkeys(recipients, Delivery(Outcome.TEMPORARY, error.smtp_code, _words(error.smtp_error)))
        except (OSError, smtplib.SMTPException) as error:
            words = f"{self._transport.name} cannot be used: {error}"
            return dict.fromkeys(recipients, Delivery(Outcome.TEMPORARY, None, words))
        try:
            return self._hand_over(server, content, sender, recipients)
        except (OSError, smtplib.SMTPException) as error:
            words = f"{self._transport.name} broke off: {error}"
            return dict.fromkeys(recipients, Delivery(Outcome.TEMPORARY, None, words))
        finally:
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()

    def _connect(self) -> smtplib.SMTP:
        transport = self._transport
        context = ssl.create_default_context()
        if not transport.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if transport.encryption == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                transport.host, transport.port, timeout=transport.timeout, context=context
            )
        else:
            server = smtplib.SMTP(transport.host, transport.port, timeout=transport.timeout)
        try:
            server.ehlo_or_helo_if_needed()
            if transport.encryption == "starttls":
                server.starttls(context=context)
            if transport.user:
                server.login(transport.user, transport.password)
        except BaseException:
            server.close()
            raise
        return server

    def _hand_over(
        self, server: smtplib.SMTP, content: bytes, sender: str, recipients: Sequence[str]
    ) -> dict[str, Delivery]:
        options = ["SMTPUTF8", "BODY=8BITMIME"] if self._international else []
        if self._international and not server.has_extn("smtputf8"):
            words = "The mail server cannot take addresses with letters beyond a–z."
            return dict.fromkeys(recipients, Delivery(Outcome.REFUSED, None, words))
        code, text = server.mail(sender, options)
        if code != 250:
            return dict.fromkeys(recipients, _answer(code, text))
        answers: dict[str, Delivery] = {}
        accepted = []
        for address in recipients:
            code, text = server.rcpt(address)
            if code in (250, 251):
                accepted.append(address)
            else:
                answers[address] = _answer(code, text)
        if accepted:
            answers |= dict.fromkeys(accepted, self._data(server, content))
        return answers

    def _data(self, server: smtplib.SMTP, content: bytes) -> Delivery:
        """DATA in two halves, because what a lost connection means depends on the half in which it is lost."""
        code, text = server.docmd("DATA")
        if code != 354:
            return _answer(code, text)
        try:
            if server.sock is not None:
                server.sock.settimeout(LAST_ANSWER_SECONDS)  # a server may scan the message before it answers
            server.send(_dotted(content))
            code, text = server.getreply()
        except (OSError, smtplib.SMTPServerDisconnected) as error:
            return Delivery(Outcome.UNKNOWN, None, f"The connection broke before the server answered: {error}")
        return Delivery(Outcome.SENT, code, _words(text)) if code == 250 else _answer(code, text)


def _dotted(content: bytes) -> bytes:
    """The message as DATA wants it: CRLF, a doubled dot at the start of a line, and the closing dot."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines) + b".\r\n"


def _answer(code: int, text: bytes | str) -> Delivery:
    return Delivery(Outcome.REFUSED if 500 <= code <= 599 else Outcome.TEMPORARY, code, _words(text))


def _words(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
