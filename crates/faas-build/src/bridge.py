"""Runs a package tool where there is no network: what it asks of 127.0.0.1 goes to the host through
this program's standard output, and the answers come through its standard input.

The plan is in plan.json beside this file: the command, its environment, and what to give back when it
has succeeded. {index} in the command stands for the address of this program. A tool that is to be offline
has no such address, and the host answers nothing that comes out of such a sandbox.

A frame is a kind (1 byte), a number (4) and a length (4, little endian), and so many bytes.
"""

import hashlib
import http.server
import json
import os
import queue
import struct
import subprocess
import sys
import threading

FRAME = struct.Struct("<BII")
GET, LINE, FILE, PIECE, DONE, MISSING = range(1, 7)
HEAD, BODY, END, BROKEN = range(1, 5)
LONGEST = 64 * 1024
LONGEST_LINE = 2000
WAITING = 64


class Host:
    """The other end of standard input and output."""

    def __init__(self):
        self.lock = threading.Lock()
        self.writing = threading.Lock()
        self.answers = {}
        self.asked = 0

    def send(self, kind, number=0, payload=b""):
        with self.writing:
            sys.stdout.buffer.write(FRAME.pack(kind, number, len(payload)) + payload)
            sys.stdout.buffer.flush()

    def ask(self, path, accept):
        answer = queue.Queue(WAITING)
        with self.lock:
            self.asked += 1
            number = self.asked
            self.answers[number] = answer
        self.send(GET, number, (accept + "\n" + path).encode("latin-1"))
        return number, answer

    def forget(self, number):
        with self.lock:
            del self.answers[number]

    def listen(self):
        """Deals out what comes. Who asked reads to the end, so that nothing stands in the way of the others."""
        while True:
            head = sys.stdin.buffer.read(FRAME.size)
            if len(head) < FRAME.size:
                os._exit(1)
            kind, number, length = FRAME.unpack(head)
            payload = sys.stdin.buffer.read(length)
            with self.lock:
                answer = self.answers.get(number)
            if answer is not None:
                answer.put((kind, payload))


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        number, answer = self.server.host.ask(self.path, self.headers.get("Accept", "*/*"))
        kind, payload = answer.get()
        try:
            if kind == HEAD:
                self.relay(payload, answer)
            else:
                self.send_error(502)
        except OSError:
            self.close_connection = True
            while kind in (HEAD, BODY):
                kind, _ = answer.get()
        finally:
            self.server.host.forget(number)

    def relay(self, head, answer):
        status, kind = head.decode("latin-1").split(" ", 1)
        self.send_response(int(status))
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        failed = None
        while True:
            kind, payload = answer.get()
            if kind != BODY:
                break
            try:
                if payload and failed is None:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(payload), payload))
            except OSError as error:
                failed = error
        if kind == END and failed is None:
            self.wfile.write(b"0\r\n\r\n")
        else:
            # The tool sees an answer without an end, and no file of it.
            self.close_connection = True

    def log_message(self, *_):
        pass


def serve(host):
    """Stands for the index; gives its address."""
    threading.Thread(target=host.listen, daemon=True).start()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Request)
    server.daemon_threads = True
    server.host = host
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "http://127.0.0.1:%d" % server.server_address[1]


def run(host, plan):
    index = "offline" if plan.get("offline") else serve(host)
    command = [word.replace("{index}", index) for word in plan["command"]]
    try:
        tool = subprocess.Popen(
            command,
            env=plan["environment"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except FileNotFoundError:
        host.send(MISSING)
        return
    for line in iter(lambda: tool.stdout.readline(LONGEST_LINE), b""):
        host.send(LINE, 0, line.rstrip().replace(index.encode(), b"the index"))
    status = tool.wait()
    if status == 0:
        give_back(host, plan)
    host.send(DONE, status & 0xFF)


def give_back(host, plan):
    if "files" in plan:
        for name in sorted(os.listdir(plan["files"])):
            path = os.path.join(plan["files"], name)
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256") if sys.version_info >= (3, 11) else whole(file)
            host.send(FILE, 0, (digest.hexdigest() + " " + name).encode())
            if plan.get("contents"):
                pieces(host, path)
    if "document" in plan:
        pieces(host, plan["document"])


def pieces(host, path):
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(LONGEST), b""):
            host.send(PIECE, 0, piece)


def whole(file):
    digest = hashlib.sha256()
    for piece in iter(lambda: file.read(LONGEST), b""):
        digest.update(piece)
    return digest


if __name__ == "__main__":
    with open("plan.json", encoding="utf-8") as file:
        PLAN = json.load(file)
    run(Host(), PLAN)
    # Its threads wait for what nobody needs any more.
    os._exit(0)
