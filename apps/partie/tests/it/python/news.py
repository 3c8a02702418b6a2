"""A server of events that come one after the other, and a client: news.py serve | news.py ask URL."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

more = threading.Event()


class News(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/more":
            more.set()
            self.send_response(204)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"id: 1\ndata: first\n\n")
        # The second one comes when somebody has seen the first.
        more.wait(20)
        self.wfile.write(b"id: 2\ndata: second\n\n")


def ask(url):
    with httpx.Client(timeout=20) as client, client.stream("GET", url + "/news") as answer:
        lines = (line for line in answer.iter_lines() if line.startswith("data: "))
        assert next(lines) == "data: first"
        assert "content-encoding" not in answer.headers
        assert httpx.get(url + "/more").status_code == 204
        assert next(lines) == "data: second"
    print("well")


if sys.argv[1] == "serve":
    server = ThreadingHTTPServer(("127.0.0.1", 0), News)
    print(server.server_port, flush=True)
    server.serve_forever()
else:
    ask(sys.argv[2])
