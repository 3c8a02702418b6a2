"""An order service that asks for products through its sidecar: `order.py PORT SIDECAR`.

SIDECAR is the address the sidecar prints first. Nothing here knows where products are, how many instances there are, or
what to do when one of them fails.
"""

import sys

import requests
from flask import Flask, jsonify, request

app = Flask(__name__)
SIDECAR = sys.argv[2].rstrip("/")


@app.get("/health")
def health():
    return jsonify(status="healthy")


@app.post("/api/orders")
def create_order():
    wanted = request.get_json()
    product_id, quantity = int(wanted["product_id"]), int(wanted["quantity"])
    # The trace and the time that is left go on with the call.
    passed_on = {
        name: request.headers[name]
        for name in ("traceparent", "x-request-id", "partie-timeout-ms")
        if name in request.headers
    }
    answer = requests.get(f"{SIDECAR}/product/api/products/{product_id}", headers=passed_on)
    if answer.status_code == 404:
        return jsonify(error="there is no such product"), 422
    answer.raise_for_status()
    product = answer.json()
    total = round(product["price"] * quantity, 2)
    return jsonify(product=product["name"], quantity=quantity, total=total), 201


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
