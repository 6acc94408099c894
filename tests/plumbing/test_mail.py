"""The mail transport, against a real SMTP server on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from counterfoil.plumbing.mail import BadEmailUrl, Delivery, Outcome, Transport, send, transport_from


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Postbox:
    """Takes mail, and answers as the test wants."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.refuse: dict[str, str] = {}
        self.answer = "250 taken"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            self.taken.append(envelope)
        return self.answer


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


@pytest.fixture
def serve(postbox: Postbox) -> Iterator[Callable[..., Transport]]:
    controllers: list[Controller] = []

    def start(**options: Any) -> Transport:
        port = free_port()
        controller = Controller(postbox, hostname="127.0.0.1", port=port, **options)
        controller.start()
        controllers.append(controller)
        return Transport("127.0.0.1", port, "none", timeout=5)

    yield start
    for controller in controllers:
        controller.stop()


def letter(body: str = "Your invoice.\n.\n.hidden\n", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Fernhill <billing@fernhill.example>"
    message["To"] = "Åse Öberg <ase@acme.example>"
    message["Subject"] = "Invoice 2026-0001"
    for name, value in headers.items():
        message[name] = value
    message.set_content(body)
    return message


SENDER = "billing@fernhill.example"


def test_sent_only_after_250(serve: Callable[..., Transport], postbox: Postbox) -> None:
    """One message reaches every recipient in one go, and is sent when the server said 250."""
    answers = send(letter(), SENDER, ["ase@acme.example", "cc@acme.example"], serve())
    assert answers == dict.fromkeys(["ase@acme.example", "cc@acme.example"], Delivery(Outcome.SENT, 250, "taken"))
    (envelope,) = postbox.taken
    assert envelope.mail_from == SENDER
    assert envelope.rcpt_tos == ["ase@acme.example", "cc@acme.example"]
    content = envelope.content
    assert isinstance(content, bytes)
    assert b"Subject: Invoice 2026-0001\r\n" in content
    assert content.endswith(b"Your invoice.\r\n.\r\n.hidden\r\n")


def test_each_recipient_has_an_outcome(serve: Callable[..., Transport], postbox: Postbox) -> None:
    """One recipient refused for good and one for now do not keep the message from the third."""
    postbox.refuse = {"gone@acme.example": "550 no such user", "busy@acme.example": "451 try later"}
    answers = send(letter(), SENDER, ["gone@acme.example", "busy@acme.example", "ase@acme.example"], serve())
    assert answers == {
        "gone@acme.example": Delivery(Outcome.REFUSED, 550, "no such user"),
        "busy@acme.example": Delivery(Outcome.TEMPORARY, 451, "try later"),
        "ase@acme.example": Delivery(Outcome.SENT, 250, "taken"),
    }
    assert [envelope.rcpt_tos for envelope in postbox.taken] == [["ase@acme.example"]]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("554 looks like spam", Delivery(Outcome.REFUSED, 554, "looks like spam")),
        ("452 disk full", Delivery(Outcome.TEMPORARY, 452, "disk full")),
    ],
)
def test_refused_message(serve: Callable[..., Transport], postbox: Postbox, answer: str, outcome: Delivery) -> None:
    """A message that the server refuses after reading it is not sent."""
    postbox.answer = answer
    assert send(letter(), SENDER, ["ase@acme.example"], serve()) == {"ase@acme.example": outcome}
    assert postbox.taken == []


def test_no_server(serve: Callable[..., Transport]) -> None:
    """A server that cannot be reached is trouble for now, not for good."""
    nobody = Transport("127.0.0.1", free_port(), "none", timeout=2)
    answer = send(letter(), SENDER, ["ase@acme.example"], nobody)["ase@acme.example"]
    assert (answer.outcome, answer.code) == (Outcome.TEMPORARY, None)
    assert "cannot be used" in answer.text


def test_connection_that_breaks_after_the_message_is_unknown() -> None:
    """When the connection breaks between the message and the answer, nobody knows; it is not called a failure."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as file:
            for answer in ("220 hello", "250 hello", "250 sender", "250 recipient", "354 go on"):
                file.write(f"{answer}\r\n".encode())
                file.flush()
                file.readline()
            while file.readline() not in (b".\r\n", b""):
                pass

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    transport = Transport("127.0.0.1", listener.getsockname()[1], "none", timeout=5)
    answer = send(letter(), SENDER, ["ase@acme.example"], transport)["ase@acme.example"]
    thread.join()
    listener.close()
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, None)


def test_without_a_url_mail_is_kept() -> None:
    """Without EMAIL_URL nothing is handed to anybody, and the answer says so."""
    transport = transport_from("")
    assert transport is None
    assert send(letter(), SENDER, ["ase@acme.example"], transport) == {"ase@acme.example": Delivery(Outcome.KEPT)}


@pytest.mark.parametrize(
    "address", ["ase@acme.example\r\nRCPT TO:<all@acme.example>", "a b@acme.example", "acme.example", "a@b@c"]
)
def test_unfit_addresses_never_reach_the_server(
    serve: Callable[..., Transport], postbox: Postbox, address: str
) -> None:
    """An address with a line break or without its @ is refused before anything is sent; the others go on."""
    answers = send(letter(), SENDER, [address, "ase@acme.example"], serve())
    assert answers[address].outcome is Outcome.REFUSED
    assert answers["ase@acme.example"].outcome is Outcome.SENT
    assert [envelope.rcpt_tos for envelope in postbox.taken] == [["ase@acme.example"]]


def test_header_with_a_line_break(serve: Callable[..., Transport], postbox: Postbox) -> None:
    """A header that carries a line break sends nothing at all."""
    message = letter()
    message._headers.append(("X-Deal", "one\r\nBcc: all@acme.example"))  # type: ignore[attr-defined]
    answers = send(message, SENDER, ["ase@acme.example"], serve())
    assert answers["ase@acme.example"].outcome is Outcome.REFUSED
    assert postbox.taken == []


def test_international_addresses(serve: Callable[..., Transport], postbox: Postbox) -> None:
    """A domain with an umlaut is spelt as the DNS spells it; a local part with one needs a server that can take it."""
    answers = send(letter(), SENDER, ["info@müller.example", "jürgen@acme.example"], serve(enable_SMTPUTF8=True))
    assert [answer.outcome for answer in answers.values()] == [Outcome.SENT, Outcome.SENT]
    assert postbox.taken[0].rcpt_tos == ["info@xn--mller-kva.example", "jürgen@acme.example"]
    only_domain = send(letter(), SENDER, ["info@müller.example"], serve(enable_SMTPUTF8=False))
    assert only_domain["info@müller.example"].outcome is Outcome.SENT
    refused = send(letter(), SENDER, ["jürgen@acme.example"], serve(enable_SMTPUTF8=False))
    assert refused["jürgen@acme.example"].outcome is Outcome.REFUSED


def test_missing_starttls_is_trouble_and_never_plain_text(serve: Callable[..., Transport], postbox: Postbox) -> None:
    """smtp:// asks for STARTTLS; a server without it gets neither the password nor the message."""
    plain = serve()
    transport = Transport(plain.host, plain.port, "starttls", "user", "secret", timeout=5)
    answer = send(letter(), SENDER, ["ase@acme.example"], transport)["ase@acme.example"]
    assert answer.outcome is Outcome.TEMPORARY
    assert "STARTTLS" in answer.text
    assert postbox.taken == []


def test_wrong_password_is_our_trouble(serve: Callable[..., Transport], postbox: Postbox) -> None:
    """A wrong password says nothing about the recipient: the message waits."""
    plain = serve(
        authenticator=lambda *_: AuthResult(success=False, handled=False), auth_required=True, auth_require_tls=False
    )
    transport = Transport(plain.host, plain.port, "none", "user", "wrong", timeout=5)
    answer = send(letter(), SENDER, ["ase@acme.example"], transport)["ase@acme.example"]
    assert (answer.outcome, answer.code) == (Outcome.TEMPORARY, 535)
    assert "wrong" not in answer.text


def test_urls() -> None:
    """The address says host, port, encryption and password; the usual ports are filled in."""
    assert transport_from("smtp://me:p%40ss@mail.example.com") == Transport(
        "mail.example.com", 587, "starttls", "me", "p@ss"
    )
    assert transport_from("smtps://mail.example.com") == Transport("mail.example.com", 465, "tls")
    assert transport_from("smtp://localhost:1025?tls=no&timeout=5") == Transport("localhost", 1025, "none", timeout=5)
    assert transport_from("smtps://h?verify=no") == Transport("h", 465, "tls", verify=False)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://h:port",
        "smtp://h?tsl=no",
        "smtp://h?timeout=x",
    ],
)
def test_bad_urls(url: str) -> None:
    """What cannot be understood is refused with a sentence, and the sentence holds no password."""
    with pytest.raises(BadEmailUrl, match="EMAIL_URL"):
        transport_from(url.replace("h", "me:secret@h", 1))
