"""A gRPC service without a stub, and a client: sums.py serve | sums.py ask URL."""

import sys
from concurrent import futures

import grpc


def total(numbers, context):
    summed = 0
    for number in numbers:
        summed += int(number)
        # So far, after each.
        yield str(summed).encode()
    context.set_trailing_metadata((("count", "done"),))


def refuse(_, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today")


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(4))
    handlers = {
        "Total": grpc.stream_stream_rpc_method_handler(total),
        "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("sums.Sums", handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def ask(at):
    with grpc.insecure_channel(at) as channel:
        call = channel.stream_stream("/sums.Sums/Total")(iter([b"1", b"2", b"39"]), timeout=20)
        assert list(call) == [b"1", b"3", b"42"]
        assert ("count", "done") in call.trailing_metadata()
        try:
            channel.unary_unary("/sums.Sums/Refuse")(b"", timeout=20)
        except grpc.RpcError as error:
            assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not today"), error
        else:
            raise AssertionError("it was not refused")
    print("well")


serve() if sys.argv[1] == "serve" else ask(sys.argv[2])
