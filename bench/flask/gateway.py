"""The gateway of the tutorials: Flask, which decodes a token and passes the request on with requests.

`gateway.py UPSTREAM SECRET`. Prints the address it listens on, and ends when its input ends.

The handlers are the tutorial's; the server writes no line for each request, which only helps it.
"""

import logging
import os
import sys
import threading
from functools import wraps

import jwt
import requests
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

app = Flask(__name__)
UPSTREAM, app.config["SECRET_KEY"] = sys.argv[1:]


def require_auth(f):
    @wraps(f)
    def decorated(*args, **kwargs):
        token = request.headers.get("Authorization")
        if not token:
            return jsonify({"error": "No token provided", "emoji": "🔒"}), 401
        try:
            token = token.replace("Bearer ", "")
            jwt.decode(token, app.config["SECRET_KEY"], algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return jsonify({"error": "Invalid token", "emoji": "❌"}), 401
        return f(*args, **kwargs)

    return decorated


@app.route("/api/<service>/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
@require_auth
def gateway(service, path):
    service_map = {"products": f"http://{UPSTREAM}"}
    if service not in service_map:
        return jsonify({"error": "Service not found", "emoji": "🤷"}), 404
    response = requests.request(
        method=request.method,
        url=f"{service_map[service]}/api/{path}",
        headers={key: value for key, value in request.headers if key != "Host"},
        data=request.get_data(),
        params=request.args,
    )
    return response.content, response.status_code, response.headers.items()


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


logging.getLogger("werkzeug").setLevel(logging.ERROR)
# What `app.run()` serves with: a thread for each connection.
server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"127.0.0.1:{server.server_port}", flush=True)
threading.Thread(target=end_with_input, daemon=True).start()
server.serve_forever()
