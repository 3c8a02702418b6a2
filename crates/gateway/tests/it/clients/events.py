"""An event stream whose next event comes only when the last one was seen, or a client of it."""

import socketserver
import sys
import threading

import httpx
from http.server import BaseHTTPRequestHandler

seen = [threading.Event() for _ in range(5)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(len(seen)):
            text = f"id: {number}\ndata: event {number}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.wfile.flush()
            seen[number].wait()
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self):
        number = int(self.rfile.read(int(self.headers["Content-Length"])))
        seen[number].set()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


def client(address, authority):
    with httpx.Client(base_url=f"https://localhost:{address}", verify=authority, timeout=20) as program:
        got = []
        with program.stream("GET", "/events", headers={"Accept": "text/event-stream"}) as answer:
            assert answer.status_code == 200 and answer.headers["content-type"] == "text/event-stream"
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    got.append(line)
                    # Were it held back anywhere, the next one would never come.
                    number = str(len(got) - 1)
                    assert program.post("/events", content=number).status_code == 204
        assert got == [f"data: event {number}" for number in range(len(seen))], got


if sys.argv[1] == "server":
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
else:
    client(*sys.argv[2:])
