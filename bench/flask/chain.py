"""The order chain of the tutorials: four Flask services that call each other over HTTP with requests.

`chain.py restaurant|delivery|notification` or `chain.py order RESTAURANT DELIVERY NOTIFICATION`, the last three being
addresses. Prints the address it listens on, and ends when its input ends.

The handlers are the tutorial's. Unlike there a driver is free again at once, since the third order would be refused
otherwise, and the server writes no line for each request, which only helps it.
"""

import logging
import os
import random
import sys
import threading

import requests
from flask import Flask, jsonify, request
from werkzeug.serving import make_server

app = Flask(__name__)
PEERS = sys.argv[2:]

RESTAURANTS = {
    1: {
        "name": "Pizza Paradise",
        "menu": [
            {"id": 1, "name": "Margherita", "price": 12.99, "emoji": "🍕"},
            {"id": 2, "name": "Pepperoni", "price": 14.99, "emoji": "🍕"},
        ],
        "open": True,
        "emoji": "🍕",
    }
}

DRIVERS = [
    {"id": 1, "name": "Speed Racer", "available": True, "emoji": "🏎️"},
    {"id": 2, "name": "Careful Carl", "available": True, "emoji": "🚗"},
]


def restaurant():
    @app.route("/api/restaurants/<int:restaurant_id>/menu")
    def get_menu(restaurant_id):
        if restaurant_id in RESTAURANTS:
            found = RESTAURANTS[restaurant_id]
            if found["open"]:
                return jsonify({"restaurant": found["name"], "menu": found["menu"], "emoji": found["emoji"]})
        return jsonify({"error": "Restaurant closed", "emoji": "😢"}), 404


def delivery():
    @app.route("/api/delivery/assign", methods=["POST"])
    def assign_driver():
        request.json
        available = [driver for driver in DRIVERS if driver["available"]]
        if available:
            driver = random.choice(available)
            return jsonify(
                {
                    "driver": driver["name"],
                    "eta_minutes": random.randint(20, 45),
                    "tracking_id": f"TRACK-{random.randint(1000, 9999)}",
                    "emoji": driver["emoji"],
                }
            )
        return jsonify({"error": "No drivers available", "emoji": "😢"}), 503


def notification():
    @app.route("/api/notify", methods=["POST"])
    def send_notification():
        data = request.json
        message = f"📱 Sending {data.get('type')} to {data.get('recipient')}: {data.get('message')}"
        # The tutorial prints it; here standard output tells the address.
        print(message, file=sys.stderr)
        return jsonify({"sent": True, "type": data.get("type"), "emoji": "✅"})


def order():
    restaurants, deliveries, notifications = PEERS

    @app.route("/api/orders/create", methods=["POST"])
    def create_order():
        order_data = request.json
        menu = requests.get(f"http://{restaurants}/api/restaurants/{order_data['restaurant_id']}/menu")
        if menu.status_code != 200:
            return jsonify({"error": "Restaurant unavailable", "emoji": "😢"}), 400
        assigned = requests.post(f"http://{deliveries}/api/delivery/assign", json=order_data)
        if assigned.status_code != 200:
            return jsonify({"error": "No drivers available", "emoji": "😢"}), 503
        delivery_info = assigned.json()
        requests.post(
            f"http://{notifications}/api/notify",
            json={
                "type": "sms",
                "recipient": order_data["customer_phone"],
                "message": f"Your order is confirmed! Driver {delivery_info['driver']} will deliver in "
                f"{delivery_info['eta_minutes']} minutes",
            },
        )
        return jsonify(
            {
                "order_id": f"ORDER-{random.randint(10000, 99999)}",
                "status": "confirmed",
                "driver": delivery_info["driver"],
                "eta": delivery_info["eta_minutes"],
                "tracking_id": delivery_info["tracking_id"],
                "emoji": "🎉",
            }
        )


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    {"restaurant": restaurant, "delivery": delivery, "notification": notification, "order": order}[sys.argv[1]]()
    # What `app.run()` serves with: a thread for each connection.
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=end_with_input, daemon=True).start()
    server.serve_forever()
