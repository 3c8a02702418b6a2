"""A product service that knows nothing of Partie: `product.py PORT`."""

import sys

from flask import Flask, abort, jsonify

app = Flask(__name__)

PRODUCTS = {
    1: {"id": 1, "name": "Copper pan", "price": 89.0},
    2: {"id": 2, "name": "Bread knife", "price": 34.5},
}


@app.get("/health")
def health():
    return jsonify(status="healthy")


@app.get("/api/products")
def list_products():
    return jsonify(products=list(PRODUCTS.values()), count=len(PRODUCTS))


@app.get("/api/products/<int:product_id>")
def get_product(product_id):
    if product_id not in PRODUCTS:
        abort(404)
    return jsonify(PRODUCTS[product_id])


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
