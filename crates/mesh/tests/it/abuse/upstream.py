"""Reads requests with h11 and says how it read them: one JSON line each, as the answer."""

import json
import socket
import threading

import h11


def serve(connection):
    try:
        read(connection)
    except OSError:
        pass  # it was cut off, which is what the test is about


def read(connection):
    parser, request, body = h11.Connection(h11.SERVER), None, b""
    with connection:
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                return say(connection, parser, {"error": str(error)})
            if event is h11.NEED_DATA:
                parser.receive_data(connection.recv(65536))
            elif type(event) is h11.Request:
                request, body = event, b""
            elif type(event) is h11.Data:
                body += bytes(event.data)
            elif type(event) is h11.EndOfMessage:
                say(connection, parser, {
                    "method": request.method.decode(),
                    "target": request.target.decode(),
                    "headers": [[name.decode(), value.decode("latin-1")] for name, value in request.headers],
                    "body": body.decode("latin-1"),
                    "trailers": [[name.decode(), value.decode()] for name, value in event.headers],
                })
                if parser.our_state is not h11.DONE:
                    return
                parser.start_next_cycle()
            else:
                return


def say(connection, parser, read):
    text = json.dumps(read).encode()
    if parser.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    for event in (
        h11.Response(status_code=200, headers=[("content-length", str(len(text)))]),
        h11.Data(data=text),
        h11.EndOfMessage(),
    ):
        connection.sendall(parser.send(event) or b"")


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
