"""A mail server for tests: aiosmtpd, which takes mail for anyone but some, from who has logged in.

Each mail that it takes is a file `<n>.json` in the folder, as Python's own parser reads it; each command that counts is a line of
`commands`. While the folder has a file `busy`, recipients are refused for now; recipients that begin with `refused`, for good.
"""

import argparse
import asyncio
import email
import email.policy
import json
import os
import pathlib
import ssl

from aiosmtpd.smtp import SMTP, AuthResult


class Mailbox:
    def __init__(self, folder):
        self.folder = folder
        self.taken = 0

    def note(self, command):
        with open(self.folder / "commands", "a", encoding="utf-8") as file:
            file.write(command + "\n")

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.note("RCPT " + address)
        if (self.folder / "busy").exists():
            return "451 4.3.0 busy, come again"
        if address.startswith("refused"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        tls = server.transport.get_extra_info("ssl_object")
        self.taken += 1
        taken = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "tls": tls.version() if tls else None,
            "user": session.auth_data,
            "headers": dict(mail.items()),
            "text": mail.get_content(),
        }
        whole = self.folder / "taking"
        whole.write_text(json.dumps(taken), encoding="utf-8")
        whole.rename(self.folder / f"{self.taken}.json")
        return "250 2.0.0 OK"


async def serve(arguments):
    box = Mailbox(arguments.folder)
    context = None
    if arguments.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.certificate, arguments.key)
    starts_tls = arguments.tls == "starttls"

    def authenticate(server, session, envelope, mechanism, data):
        user = data.login.decode()
        is_right = (user, data.password.decode()) == ("chat", os.environ["MAIL_PASSWORD"])
        box.note(f"AUTH {user} {'right' if is_right else 'wrong'}")
        # aiosmtpd answers 535 for what is not handled.
        return AuthResult(success=is_right, handled=False, auth_data=user if is_right else None)

    def session():
        box.note("CONNECT")
        return SMTP(
            box,
            hostname="mail.example",
            tls_context=context if starts_tls else None,
            require_starttls=starts_tls,
            auth_required=True,
            # Of STARTTLS alone: aiosmtpd does not see the other kind.
            auth_require_tls=starts_tls,
            authenticator=authenticate,
        )

    implicit = context if arguments.tls == "implicit" else None
    server = await asyncio.get_running_loop().create_server(session, arguments.host, arguments.port, ssl=implicit)
    port = arguments.folder / "port.new"
    port.write_text(str(server.sockets[0].getsockname()[1]), encoding="utf-8")
    port.rename(arguments.folder / "port")
    await server.serve_forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tls", choices=["implicit", "starttls", "none"], required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    asyncio.run(serve(parser.parse_args()))


main()
