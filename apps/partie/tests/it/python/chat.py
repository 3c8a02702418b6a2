"""A WebSocket server that answers in capitals, and a client: chat.py serve | chat.py ask URL."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


async def answer(socket):
    print("asked for", socket.request.path, flush=True)
    async for words in socket:
        await socket.send(words.upper() if isinstance(words, str) else words[::-1])


async def listen():
    async with serve(answer, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


async def ask(url):
    async with connect(url) as socket:
        await socket.send("hello")
        assert await socket.recv() == "HELLO"
        large = bytes(range(256)) * 1000
        await socket.send(large)
        assert await socket.recv() == large[::-1]
        await asyncio.wait_for(await socket.ping(), 10)
    print("well")


asyncio.run(listen() if sys.argv[1] == "serve" else ask(sys.argv[2]))
