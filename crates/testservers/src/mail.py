"""A mail server for tests: aiosmtpd, which takes mail to most people and does something else to some."""

import argparse, asyncio, collections, json, os, ssl
from aiosmtpd.smtp import SMTP, AuthResult

options = argparse.ArgumentParser()
options.add_argument("--port", type=int, required=True)
options.add_argument("--mails", required=True)
options.add_argument("--login")
options.add_argument("--starttls", nargs=2)
options.add_argument("--tls", nargs=2)
options = options.parse_args()


def noted():
    with open(options.mails, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def note(what):
    with open(options.mails, "a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")
        file.flush()
        os.fsync(file.fileno())


def times(what, to):
    return sum(entry["what"] == what and entry["to"] == to for entry in noted())


class Handler:
    connections = 0

    async def handle_RCPT(self, server, session, envelope, to, options):
        user = to.split("@")[0]
        note({"what": "asked", "to": to})
        if user == "nobody":
            return "550 5.1.1 there is nobody of that name"
        if user.startswith("busy-") and times("asked", to) <= int(user[5:]):
            return "450 4.2.1 come back later"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        (to,) = envelope.rcpt_tos
        user = to.split("@")[0]
        data = envelope.original_content.decode("utf-8")
        headers = data.split("\r\n\r\n", 1)[0].replace("\r\n ", " ").split("\r\n")
        ids = [line.split(": ", 1)[1] for line in headers if line.lower().startswith("message-id: ")]
        note({
            "what": "mail", "from": envelope.mail_from, "to": to, "id": " ".join(ids), "data": data,
            "tls": session.ssl is not None or options.tls is not None,
            "user": getattr(session, "user", None), "peer": session.peer[1],
        })
        if user.startswith("dies-") and times("mail", to) <= int(user[5:]):
            os._exit(1)
        if user == "silence":
            await asyncio.sleep(3600)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = f"{data.login.decode()}:{data.password.decode()}" == options.login
    if good:
        session.user = data.login.decode()
    return AuthResult(success=good, handled=False)


def context(files):
    if files:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(*files)
        return made


async def main():
    def server():
        return SMTP(
            Handler(), hostname="mail.test", enable_SMTPUTF8=False, tls_context=context(options.starttls),
            require_starttls=bool(options.starttls), authenticator=authenticate,
            auth_required=bool(options.login), auth_require_tls=False, ident="test",
        )
    open(options.mails, "a").close()
    loop = asyncio.get_running_loop()
    serving = await loop.create_server(server, "127.0.0.1", options.port, ssl=context(options.tls))
    print("ready", flush=True)
    await serving.serve_forever()


asyncio.run(main())
