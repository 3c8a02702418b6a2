"""The tutorial's nCr pair: a Flask gateway that asks a grpcio server for three factorials.

`ncr.py factorial` or `ncr.py web HOST:PORT`, the last being the address of the former. Prints the address it listens
on, and ends when its input ends. `fact_pb2` and `fact_pb2_grpc` are made from `fact.proto` by grpcio-tools and found on
the path of Python.

The handlers do what the tutorial's do: floats, one factorial after the other, a recursion a factorial. Unlike there the
web server writes no line for each request, which only helps it.
"""

import logging
import os
import sys
import threading
from concurrent import futures

import fact_pb2
import fact_pb2_grpc
import grpc
from flask import Flask, jsonify
from werkzeug.serving import make_server


def fact(n):
    return 1 if n in [0, 1] else fact(n - 1) * n


class Factorial(fact_pb2_grpc.FactorialServicer):
    def Factorial(self, request, context):
        return fact_pb2.Number(value=fact(request.value))


def factorial():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
    fact_pb2_grpc.add_FactorialServicer_to_server(Factorial(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    announce(port)
    server.wait_for_termination()


def web(address):
    stub = fact_pb2_grpc.FactorialStub(grpc.insecure_channel(address))
    app = Flask(__name__)

    def get_fact(n):
        return stub.Factorial(fact_pb2.Number(value=n)).value

    @app.route("/api/ncr/<x>/<y>")
    def ncr(x, y):
        x, y = float(x), float(y)
        if x < y:
            return jsonify({"input": (x, y), "ncr": None, "msg": "supply values as /api/ncr/big_no/small_no"})
        result = get_fact(x) / (get_fact(x - y) * get_fact(y))
        return jsonify({"input": (x, y), "ncr": result, "msg": "Success"})

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # What `app.run()` serves with: a thread for each connection.
    server = make_server("127.0.0.1", 0, app, threaded=True)
    announce(server.server_port)
    server.serve_forever()


def announce(port):
    print(f"127.0.0.1:{port}", flush=True)
    threading.Thread(target=end_with_input, daemon=True).start()


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    {"factorial": factorial, "web": web}[sys.argv[1]](*sys.argv[2:])
