"""Starts the real runner as init does, in a root of its own. Used by the tests beside it.

Every wait is bounded; each runner ends with its test.
"""

import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import textwrap
import unittest

HERE = pathlib.Path(__file__).resolve().parent
INTERPRETER = "/usr/bin/python3"
FLAGS = ("-I", "-S", "-X", "utf8")
BOUND = 30
BEGIN, BODY, END, CREDIT, REQUEST, PREPARE = 0x30, 0x31, 0x32, 0x33, 0x34, 0x35
HEAD, ANSWER, ANSWER_END, FAILED, LOADED, BUSY, PRINTED = 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47
PIECE = 131072
COLD, WAITING, PARKED, PREPARED = "cold", "waiting", "parked", "prepared"
HELLO = bytes.fromhex("02000000 40 00 0000 00000000 00000000 0800")
ASSEMBLE = """
set -e; cd "$0"
mount --rbind /usr usr; mount --rbind /proc proc; mount --rbind /dev/null dev/null
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs tmpfs tmp; mount -t tmpfs -o "size=$1" tmpfs code; mount --bind files workspace
shift; exec chroot . /usr/bin/env -i -C /workspace "$@"
"""


def may_assemble():
    """Whether this user may make the namespaces the tests run in, else why not."""
    try:
        probe = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True)
    except OSError as error:
        return str(error)
    return probe.stderr.decode() if probe.returncode else None


def frame(kind, body=b"", sequence=0, call=7):
    header = len(body).to_bytes(4, "little") + bytes([kind, 0, 0, 0])
    return header + call.to_bytes(4, "little") + sequence.to_bytes(4, "little") + body


def string(text):
    return len(text.encode()).to_bytes(4, "little") + text.encode()


def call(code, arguments=(), name="main.py", contract="script", piece=PIECE, env=()):
    head = string(contract) + string(name) + len(arguments).to_bytes(4, "little")
    head += b"".join(string(argument) for argument in arguments)
    head += len(env).to_bytes(4, "little") + b"".join(number(len(field), 4) + field for pair in env for field in pair)
    head += len(code).to_bytes(8, "little")
    pieces = [code[at : at + piece] for at in range(0, len(code), piece)]
    return frame(BEGIN, head) + b"".join(frame(BODY, body, at) for at, body in enumerate(pieces)) + frame(END)


def number(value, length):
    return value.to_bytes(length, "little")


def request(call, body=b"", method="GET", path="/", query="", headers=(), piece=PIECE, announced=None):
    head = string(method) + string(path) + string(query) + number(len(headers), 4)
    for name, value in headers:
        head += string(name) + number(len(value), 4) + value
    head += number(len(body) if announced is None else announced, 8)
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)]
    frames = [frame(REQUEST, head, call=call)]
    frames += [frame(BODY, piece, at, call=call) for at, piece in enumerate(pieces)]
    return b"".join(frames) + frame(END, call=call)


def credit(call, length):
    return frame(CREDIT, number(length, 4), call=call)


def head_of(body):
    status, count, at, headers = int.from_bytes(body[:2], "little"), int.from_bytes(body[2:6], "little"), 6, []
    for _ in range(count):
        pair = []
        for _ in range(2):
            length = int.from_bytes(body[at : at + 4], "little")
            pair.append(body[at + 4 : at + 4 + length])
            at += 4 + length
        headers.append(tuple(pair))
    assert at == len(body)
    return status, headers


def code_of(text):
    return textwrap.dedent(text).lstrip("\n").encode()


def prepare(distributions):
    return frame(PREPARE, number(len(distributions), 4) + b"".join(map(string, distributions)), call=0)


class Ended(Exception):
    """A runner ended where it was to stop: its code, and what it said."""


class Running:
    """One runner that has been sent its call: at once, after it waited for it, or after it was parked before."""

    def __init__(
        self, test, frames, flags=FLAGS, env=(), files=None, code_size="1m", compiled=None, leave=None, way=None,
        packages=None, distributions=(),
    ):
        way = way or test.way
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="faas-runner-"))
        test.addCleanup(shutil.rmtree, self.root)
        for folder in ("usr", "proc", "dev/shm", "tmp", "code", "workspace", "opt/faas", "files", "packages"):
            (self.root / folder).mkdir(parents=True)
        for link in ("bin", "lib", "lib64"):
            (self.root / link).symlink_to("usr/" + link)
        (self.root / "dev/null").touch()
        for file in ("start.py", "runner.py", "leave.py", "ahead.py", "prepare.py", "handler.py", "shared.py"):
            shutil.copy(HERE / file, self.root / "opt/faas" / file)
        if leave is not None:
            (self.root / "opt/faas/leave.py").write_text(leave)
        if compiled is not None:
            (self.root / "opt/faas/runner.pyc").write_bytes(compiled)
        if way != PREPARED:
            self.put(files)
        for name, content in ({"faas.lock": "", **packages} if packages is not None else {}).items():
            (self.root / "packages" / name).parent.mkdir(parents=True, exist_ok=True)
            content = content if isinstance(content, bytes) else textwrap.dedent(content).encode()
            (self.root / "packages" / name).write_bytes(content)
        self.socket, inside = socket.socketpair()
        test.addCleanup(self.socket.close)
        self.socket.settimeout(BOUND)
        namespaces = ["unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", ASSEMBLE, self.root, code_size]
        self.process = subprocess.Popen(
            [*namespaces, *env, INTERPRETER, *flags, "/opt/faas/start.py", *(["--park"] if way in (PARKED, PREPARED) else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(3,),
            preexec_fn=lambda: os.dup2(inside.fileno(), 3),
        )
        test.addCleanup(self.end)
        inside.close()
        if way in (PARKED, PREPARED):
            self.go_on(test)
        if way == PREPARED:
            test.assertEqual(self.socket.recv(len(HELLO)), HELLO)
            self.socket.sendall(prepare(distributions))
            self.go_on(test)
            self.put(files)
        if way != COLD:
            test.assertEqual(self.socket.recv(len(HELLO), socket.MSG_PEEK), HELLO)
        self.socket.sendall(frames)

    def put(self, files):
        for name, content in (files or {}).items():
            (self.root / "files" / name).write_text(content)

    def go_on(self, test):
        """It stops itself, and goes on."""
        pid, status = os.waitpid(self.process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self.process.returncode = os.waitstatus_to_exitcode(status)
            raise Ended(self.process.returncode, self.process.stderr.read().decode())
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def read(self, length):
        """What has been printed by now, without waiting for the end."""
        output = b""
        while len(output) < length:
            if not select.select([self.process.stdout], [], [], BOUND)[0]:
                raise AssertionError("only %r came" % output)
            output += os.read(self.process.stdout.fileno(), length - len(output))
        return output

    def finish(self, stdin=b""):
        out, err = self.process.communicate(stdin, timeout=BOUND)
        return self.process.returncode, out.decode(), err.decode()


@unittest.skipIf(may_assemble(), "no namespaces here: %s" % may_assemble())
class RunnerTestCase(unittest.TestCase):
    way = COLD

    @classmethod
    def setUpClass(cls):
        # Descriptor 3 must be taken here, so that nothing of subprocess's own lands on it.
        placeholders = [os.open("/dev/null", os.O_RDONLY)]
        while placeholders[-1] < 3:
            placeholders.append(os.open("/dev/null", os.O_RDONLY))
        for descriptor in placeholders:
            cls.addClassCleanup(os.close, descriptor)
