"""Two peers that speak gRPC by another implementation (grpcio, whose core is C): what they are for, peers.rs says.

    grpc_peers.py serve                          serves in the clear and prints its address
    grpc_peers.py call ADDRESS AUTHORITIES NAME  calls it over TLS and prints what became of each call

Messages are bytes as they are, so that nothing is generated from a `.proto`.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

SERVICE = "hoplab.Peers"
LARGE = bytes(range(256)) * 4096 * 3
BINARY = bytes(range(256))
CALLS = 500


class Server:
    """What is served: each public method is one of gRPC."""

    def __init__(self):
        self.given_up = threading.Semaphore(0)

    def echo(self, request, context):
        """Sends message and metadata back."""
        said = dict(context.invocation_metadata())
        context.send_initial_metadata([("got-bin", said.get("sent-bin", b""))])
        return request

    def count(self, requests, context):
        sizes = [len(request) for request in requests]
        return f"{len(sizes)} messages, {sum(sizes)} bytes".encode()

    def split(self, request, context):
        yield from request.split()

    def talk(self, requests, context):
        for request in requests:
            yield request.upper()

    def refuse(self, request, context):
        context.set_trailing_metadata([("why", "a reason"), ("why-bin", BINARY)])
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "50 % of Größe: ✗")

    def break_off(self, request, context):
        yield b"one"
        yield b"two"
        context.set_trailing_metadata([("after", "two")])
        context.abort(grpc.StatusCode.DATA_LOSS, "no third")

    def left(self, request, context):
        """How much time the server is told that there is."""
        left = context.time_remaining()
        return b"of 40 s" if left is not None and 30 < left < 41 else str(left).encode()

    def hang(self, request, context):
        """Answers when nobody waits any more."""
        gone = threading.Event()
        if context.add_callback(gone.set):
            gone.wait()
        self.given_up.release()
        return b""

    def end_of_hang(self, request, context):
        return b"given up" if self.given_up.acquire(timeout=10) else b"still waited for"


def serve():
    server = Server()
    kinds = {
        "echo": grpc.unary_unary_rpc_method_handler,
        "count": grpc.stream_unary_rpc_method_handler,
        "split": grpc.unary_stream_rpc_method_handler,
        "talk": grpc.stream_stream_rpc_method_handler,
        "refuse": grpc.unary_unary_rpc_method_handler,
        "break_off": grpc.unary_stream_rpc_method_handler,
        "left": grpc.unary_unary_rpc_method_handler,
        "hang": grpc.unary_unary_rpc_method_handler,
        "end_of_hang": grpc.unary_unary_rpc_method_handler,
    }
    methods = {name: kind(getattr(server, name)) for name, kind in kinds.items()}
    running = grpc.server(ThreadPoolExecutor(max_workers=16))
    running.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    print(f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}", flush=True)
    running.start()
    running.wait_for_termination()


class Client:
    """A channel. Every call has a deadline, so that none that is lost keeps anybody."""

    def __init__(self, channel):
        self.channel = channel

    def unary(self, method, request, timeout=40, **more):
        return self.channel.unary_unary(f"/{SERVICE}/{method}")(request, timeout=timeout, **more)

    def metadata(self):
        call = self.channel.unary_unary(f"/{SERVICE}/echo")
        answer, end = call.with_call(b"", timeout=40, metadata=[("sent-bin", BINARY)])
        return dict(end.initial_metadata())["got-bin"] == BINARY

    def count(self):
        requests = (bytes(size) for size in range(100))
        return self.channel.stream_unary(f"/{SERVICE}/count")(requests, timeout=40)

    def split(self, method, request):
        return self.channel.unary_stream(f"/{SERVICE}/{method}")(request, timeout=40)

    def talk(self):
        """Each message is sent once the one before has been answered."""
        heard, may_speak = [], threading.Semaphore(1)

        def speak():
            for word in [b"a", b"b", b"c"]:
                may_speak.acquire()
                yield word

        for word in self.channel.stream_stream(f"/{SERVICE}/talk")(speak(), timeout=40):
            heard.append(word)
            may_speak.release()
        return heard

    def deadline(self):
        """Client and server know it: whichever ends the call first says it in its own words."""
        try:
            return self.unary("hang", b"", timeout=2)
        except grpc.RpcError as error:
            return error.code().name

    def many_in_turn(self):
        return sum(self.unary("echo", b"%d" % number) == b"%d" % number for number in range(CALLS))

    def many_at_once(self):
        call = self.channel.unary_unary(f"/{SERVICE}/echo")
        calls = [call.future(b"%d" % number, timeout=40) for number in range(CALLS)]
        return sum(call.result() == b"%d" % number for number, call in enumerate(calls))


def failure(error):
    """How a call failed, with its trailing metadata. What has no message has them in its head, beside what hops add."""
    trailers = [(key, "all bytes" if value == BINARY else value) for key, value in error.trailing_metadata()]
    said = [f"{key}: {value}" for key, value in sorted(trailers) if key != "date"]
    return f"{error.code().name} {error.details()!r} {said}"


def outcome(call):
    try:
        return call()
    except grpc.RpcError as error:
        return failure(error)


def broken_off(client):
    """What came before a stream failed, and how it did."""
    heard = []
    try:
        for word in client.split("break_off", b""):
            heard.append(word)
    except grpc.RpcError as error:
        return heard, failure(error)
    return heard, "no failure"


def call(address, authorities, name):
    with open(authorities, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    with grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", name)]) as channel:
        client = Client(channel)
        for what, does in [
            ("unary", lambda: client.unary("echo", b"hello")),
            ("empty", lambda: client.unary("echo", b"")),
            ("3 MB", lambda: client.unary("echo", LARGE) == LARGE),
            ("metadata", client.metadata),
            ("client stream", client.count),
            ("server stream", lambda: list(client.split("split", b"one two three"))),
            ("empty stream", lambda: list(client.split("split", b""))),
            ("both ways", client.talk),
            ("error", lambda: client.unary("refuse", b"")),
            ("error in a stream", lambda: broken_off(client)),
            ("no such method", lambda: client.unary("nothing", b"")),
            ("time left", lambda: client.unary("left", b"")),
            ("deadline", client.deadline),
            ("its server", lambda: client.unary("end_of_hang", b"")),
            ("500 in turn", client.many_in_turn),
            ("500 at once", client.many_at_once),
        ]:
            print(f"{what}: {outcome(does)}", flush=True)


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
