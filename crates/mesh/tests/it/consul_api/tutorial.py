"""The tutorial's use of python-consul, and the rest of what that package does with an agent's API.

It finds the registry by CONSUL_HTTP_ADDR, as the package documents it.
"""
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
    status = 200

    def do_GET(self):
        self.send_response(Health.status if self.path == '/health' else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


def once(name, wanted, **how):
    """The list of a service, by blocking queries, once it is as wanted."""
    index = None
    while True:
        index, services = consul_client.health.service(name, index=index, wait='20s', **how)
        if wanted(services):
            return services


def refused(error, call):
    try:
        call()
    except error as answer:
        return str(answer)
    raise AssertionError('it was not refused')


server = HTTPServer(('127.0.0.1', 0), Health)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_port
host = socket.gethostname()

# The tutorial's program: it registers, it is checked, it is found.
assert discover_service('product-service') is None
register_service('product-service', port)
once('product-service', lambda services: services, passing=True)
assert discover_service('product-service') == f'http://{host}:{port}'

# A service of the system itself is found in the same way.
assert discover_service('orders') == 'http://127.0.0.1:7001'
assert consul_client.catalog.services()[1] == {'orders': [], 'product-service': []}

# It fails its check, and comes back. This one is checked often.
agent = consul_client.agent
check = consul.Check.http(f'http://localhost:{port}/health', interval='50ms', timeout='5s', deregister='10m')
assert agent.service.register('menu', service_id='menu-1', port=port, tags=['v1'], check=check)
once('menu', lambda services: services, passing=True)
Health.status = 500
once('menu', lambda services: not services, passing=True)
(critical,) = consul_client.health.service('menu')[1]
assert critical['Checks'][0]['Status'] == 'critical', critical
assert '500' in critical['Checks'][0]['Output'], critical
Health.status = 200
once('menu', lambda services: services, passing=True)
assert consul_client.health.service('menu', tag='v1')[1]
assert not consul_client.health.service('menu', tag='v2')[1]

# A check that has to be told.
assert agent.service.register('clock', service_id='clock-1', address='127.0.0.1', port=9, check=consul.Check.ttl('10m'))
assert discover_service('clock') is None
assert agent.check.ttl_pass('service:clock-1', notes='fine')
assert discover_service('clock') == 'http://127.0.0.1:9'
assert agent.checks()['service:clock-1']['Output'] == 'fine'
assert agent.check.ttl_warn('service:clock-1')
assert discover_service('clock') is None
assert agent.check.ttl_fail('service:clock-1')
assert agent.checks()['service:clock-1']['Status'] == 'critical'
assert agent.check.register('more', consul.Check.ttl('10m'), check_id='clock-more', service_id='clock-1')
assert len(consul_client.health.service('clock')[1][0]['Checks']) == 2
assert agent.check.deregister('clock-more')
assert agent.services()['clock-1']['Port'] == 9
assert agent.service.deregister('clock-1')
assert 'clock-1' not in agent.services()
assert not agent.service.deregister('clock-1')

# What is refused.
script = consul.Check.script(['true'], '10s')
assert 'script checks' in refused(consul.base.BadRequest, lambda: agent.service.register('x', port=1, check=script))
stranger = consul.Check.http('http://192.0.2.1/', '10s')
assert 'loopback' in refused(consul.base.BadRequest, lambda: agent.service.register('x', port=1, check=stranger))
denied = consul.ACLPermissionDenied
assert 'reserved' in refused(denied, lambda: agent.service.register('orders', port=1))
assert 'reserved' in refused(denied, lambda: agent.service.register('orders', port=1, token='guess'))
assert agent.service.register('orders', service_id='orders-2', port=7002, token='join')

assert consul_client.status.leader()
assert agent.self()['Config']['Datacenter'] == 'dc1'
print('all is well')
