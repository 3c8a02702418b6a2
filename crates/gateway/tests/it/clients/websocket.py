"""A WebSocket server that sends back what it gets, or a client that checks that it does."""

import asyncio
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def echo(socket):
    try:
        async for message in socket:
            if message == "leave":
                await socket.close(4001, "as you wish")
            await socket.send(message)
    except ConnectionClosed:
        pass


async def server():
    async with serve(echo, "127.0.0.1", 0, max_size=None, subprotocols=["kitchen.v1"]) as listening:
        print(listening.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


async def client(address, authority):
    trust = ssl.create_default_context(cafile=authority)
    # With compression and without, which is an extension the two agree on through the gateway.
    for compression in ("deflate", None):
        url = f"wss://localhost:{address}/chat?room=1"
        async with connect(
            url, ssl=trust, compression=compression, max_size=None, subprotocols=["kitchen.v1"]
        ) as socket:
            assert socket.subprotocol == "kitchen.v1"
            for message in ("soup", "", "ö" * 1000, b"\x00\xff" * 50, b"x" * 3_000_000):
                await socket.send(message)
                assert await socket.recv() == message
            await (await socket.ping())
            # Many at once, in their order.
            for number in range(200):
                await socket.send(str(number))
            assert [await socket.recv() for _ in range(200)] == [str(number) for number in range(200)]
            await socket.send("leave")
            try:
                await socket.recv()
                raise AssertionError("it is still there")
            except ConnectionClosed as closed:
                assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "as you wish"), closed
    try:
        async with connect(f"wss://localhost:{address}/nowhere", ssl=trust):
            raise AssertionError("nobody is there")
    except InvalidStatus as refused:
        assert refused.response.status_code == 404, refused.response


asyncio.run(server() if sys.argv[1] == "server" else client(*sys.argv[2:]))
