"""A gRPC server of plain bytes, or a client of it: every kind of call, and what goes beside the messages."""

import sys
from concurrent import futures

import grpc

SERVICE = "kitchen.v1.Kitchen"


def cook(request, context):
    context.set_trailing_metadata((("x-cooked", "yes"),))
    if request == b"burn":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "it is burnt")
    return request.upper()


def taste(requests, context):
    # One comes back for each, before the next one is there.
    for request in requests:
        yield request + b"!"


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(4))
    handlers = {
        "Cook": grpc.unary_unary_rpc_method_handler(cook),
        "Taste": grpc.stream_stream_rpc_method_handler(taste),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def client(address, authority):
    with open(authority, "rb") as file:
        trust = grpc.ssl_channel_credentials(file.read())
    with grpc.secure_channel(f"localhost:{address}", trust) as channel:
        unary = channel.unary_unary(f"/{SERVICE}/Cook")
        answer, call = unary.with_call(b"soup", timeout=20)
        assert answer == b"SOUP" and ("x-cooked", "yes") in [tuple(pair) for pair in call.trailing_metadata()]
        assert unary(b"x" * 500_000, timeout=20) == b"X" * 500_000
        try:
            unary(b"burn", timeout=20)
            raise AssertionError("it is not burnt")
        except grpc.RpcError as error:
            assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "it is burnt")
        try:
            channel.unary_unary("/nowhere.v1.Nobody/Call")(b"", timeout=20)
            raise AssertionError("nobody is there")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error

        got = []

        def requests():
            yield b"0"
            for number in range(1, 10):
                while len(got) < number:
                    pass
                yield str(number).encode()

        for answer in channel.stream_stream(f"/{SERVICE}/Taste")(requests(), timeout=20):
            got.append(answer)
        assert got == [b"%d!" % number for number in range(10)], got


serve() if sys.argv[1] == "server" else client(*sys.argv[2:])
