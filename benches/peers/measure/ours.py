"""A server of ours with its own settings, as a user would start it, and a client that keeps a connection."""

import collections
import contextlib
import http.client
import json
import pathlib
import socket
import time

from .process import Daemon, Unavailable, environment, free_port

JSON = {"Content-Type": "application/json"}
IDLE = 30.0


class Server:
    """What runs, where it is, and what it says of itself."""

    def __init__(self, port, version):
        self.port, self.version = port, version
        self.isolation = None

    def deploy(self, name, **members):
        self.call("POST", "/api/v1/functions", {"name": name, **members})

    def call(self, method, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body), JSON)
            response = connection.getresponse()
            answer = json.load(response)
        if response.status >= 300:
            raise Unavailable(f"{method} {path}: {answer.get('detail', answer)}")
        return answer


@contextlib.contextmanager
def serve(binary, options, version, folder):
    folder.mkdir(parents=True)
    port = free_port()
    argv = [binary, "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", folder / "data", *options]
    # Not in a checkout: the server would make the sample routes of one.
    with Daemon(argv, env=environment(folder), log=folder / "log", cwd=folder) as daemon:
        daemon.until_answers(port, "/ready")
        server = Server(port, version)
        answer = server.call("POST", "/execute", {"code": "print(1)"})
        server.isolation = answer["isolation"]
        yield server


class Asking:
    """One request again and again over a connection that stays open: the request is made once."""

    def __init__(self, port, method, path, body, expected):
        self.expected = expected
        body = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        self.request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
        self.port, self.stream, self.used = port, None, 0.0
        # How it was started, where the answer says so.
        self.starts = collections.Counter()

    def close(self):
        if self.stream is not None:
            self.stream.close()

    def open(self):
        """The server closes connections that nobody used for a while."""
        if self.stream is None or time.monotonic() - self.used > IDLE:
            self.close()
            self.stream = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def sample(self):
        self.open()
        began = time.perf_counter_ns()
        self.stream.sendall(self.request)
        answer = self._answer()
        took = time.perf_counter_ns() - began
        self.used = time.monotonic()
        if self.expected not in answer:
            raise Unavailable(f"answered {answer[:300]!r}")
        body = answer.partition(b"\r\n\r\n")[2]
        if body.startswith(b"{"):
            start = json.loads(body)["start"]
            self.starts[" ".join(filter(None, (start["kind"], start["mechanism"])))] += 1
        return took

    def _answer(self):
        answer = b""
        while not is_whole(answer):
            chunk = self.stream.recv(65536)
            if not chunk:
                raise Unavailable("the server closed the connection")
            answer += chunk
        return answer


def is_whole(answer):
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if fields.get(b"transfer-encoding") == b"chunked":
        return body.endswith(b"0\r\n\r\n")
    return len(body) >= int(fields[b"content-length"])


def source(path):
    return pathlib.Path(path).read_text()
