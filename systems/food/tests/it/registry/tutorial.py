"""The tutorial's use of python-consul, with the food program in place of Consul.

It finds the registry by CONSUL_HTTP_ADDR, as the package documents it.
"""
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import consul

consul_client = consul.Consul()


# As in the tutorial, unchanged.
def register_service(name, port):
    consul_client.agent.service.register(
        name=name,
        service_id=f'{name}-{socket.gethostname()}',
        address=socket.gethostname(),
        port=port,
        check=consul.Check.http(f'http://localhost:{port}/health', interval='10s')
    )
    print(f'Registered {name} service on port {port}')


def discover_service(name):
    _, services = consul_client.health.service(name, passing=True)
    if services:
        service = services[0]
        address = service['Service']['Address']
        port = service['Service']['Port']
        return f'http://{address}:{port}'
    return None


class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == '/health' else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(('127.0.0.1', 0), Health)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_port

assert discover_service('product-service') is None
register_service('product-service', port)
index = None
while not discover_service('product-service'):
    index, _ = consul_client.health.service('product-service', index=index, wait='20s', passing=True)
assert discover_service('product-service') == f'http://{socket.gethostname()}:{port}'

# The system's own names take a join token that names the service.
for name in ['orders', 'restaurants', 'gateway', 'platform']:
    try:
        consul_client.agent.service.register(name, port=1)
    except consul.ACLPermissionDenied as refusal:
        assert 'reserved' in str(refusal), refusal
    else:
        raise AssertionError(f'{name} was not refused')
token = os.environ['JOIN_TOKEN']
assert consul_client.agent.service.register('orders', port=1, token=token)
assert consul_client.agent.service.deregister('product-service-' + socket.gethostname())
assert discover_service('product-service') is None
print('all is well')
