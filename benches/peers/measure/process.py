"""Programs: one that is timed from start to end, and ones that stay until they are told to end.

Everything that is started is in a process group of its own, has a bound on its time, and is ended by
its own id. A program that stays also ends when this one is killed.
"""

import http.client
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time

LONGEST_RUN = 60.0
LONGEST_START = 60.0
LONGEST_END = 40.0


class Unavailable(Exception):
    """This peer cannot be measured here; the text says why."""


def environment(home, *, folders=(), **more):
    """What every program is given: little, and the same."""
    path = ":".join([*map(str, folders), "/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"])
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **more}


def checked(argv, *, reason, timeout=600, env=None):
    """Runs what prepares a row; its last words are the reason when it fails."""
    argv = [str(word) for word in argv]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        process = subprocess.Popen(argv, env=env, process_group=0, **pipes)
    except OSError as error:
        raise Unavailable(f"{reason}: {error}") from error
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{reason}: {error}") from error
    finally:
        if process.returncode is None:
            kill_group(process.pid)
            process.communicate()
    if process.returncode != 0:
        raise Unavailable(f"{reason}: {last_line(errors or output)}")
    return output.decode(errors="replace")


def succeeds(argv, env):
    try:
        checked(argv, reason="asking", timeout=30, env=env)
    except Unavailable:
        return False
    return True


def last_line(output):
    """The last line that says something; npm's last one only names a file."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines()]
    lines = [line for line in lines if line and "A complete log of this run" not in line]
    return lines[-1][:300] if lines else "it failed without a word"


def timed(argv, env, log, expected=b"1\n"):
    """Nanoseconds from the start of a program to its end, output read; it must print `expected`.

    posix_spawn, because forking this interpreter would cost more than some of what is measured.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    reader, writer = os.pipe2(os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, source, target) for source, target in ((null, 0), (writer, 1), (errors, 2))]
    pid = None
    try:
        began = time.perf_counter_ns()
        pid = os.posix_spawn(argv[0], argv, env, file_actions=actions, setpgroup=0)
        os.close(writer)
        writer = None
        output = read_to_end(reader, LONGEST_RUN)
        _, status = os.waitpid(pid, 0)
        took = time.perf_counter_ns() - began
        pid = None
    finally:
        if pid is not None:
            kill_group(pid)
            os.waitpid(pid, 0)
        for descriptor in (null, errors, reader, writer):
            if descriptor is not None:
                os.close(descriptor)
    if os.waitstatus_to_exitcode(status) != 0 or output != expected:
        complaint = last_line(pathlib.Path(log).read_bytes())
        raise Unavailable(f"exit code {os.waitstatus_to_exitcode(status)}, printed {output[:80]!r}: {complaint}")
    return took


def read_to_end(reader, seconds):
    poll = select.poll()
    poll.register(reader, select.POLLIN | select.POLLHUP)
    deadline = time.monotonic() + seconds
    output = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise Unavailable(f"did not end within {seconds:.0f} s")
        chunk = os.read(reader, 65536)
        if not chunk:
            return output
        output += chunk


def kill_group(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Daemon:
    """A program that stays; leaving the context ends it and all it started."""

    def __init__(self, argv, *, env, log, cwd=None, end_children=False):
        """`end_children`: of a program that only waits for another and does not pass signals on."""
        self.log, self.end_children = log, end_children
        argv = [str(word) for word in argv]
        with open(log, "wb") as output:
            try:
                self.process = subprocess.Popen(
                    argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
                )
            except OSError as error:
                raise Unavailable(f"cannot start {argv[0]}: {error}") from error
        # Its pipe is closed when this program dies. A parent-death signal would not do: a program that
        # changes its user loses it.
        guard = ["/bin/sh", "-c", 'read -r _; kill -s "$0" "$1"', "KILL" if end_children else "TERM"]
        self.guard = subprocess.Popen([*guard, str(self.process.pid)], stdin=subprocess.PIPE, process_group=0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.guard.kill()
        self.guard.communicate()
        try:
            if self.process.poll() is None:
                for pid in self.children() if self.end_children else [self.process.pid]:
                    os.kill(pid, signal.SIGTERM)
                self.process.wait(LONGEST_END)
        except subprocess.TimeoutExpired:
            print(f"peers: {self.process.args[0]} did not end by itself", file=sys.stderr)
        finally:
            kill_group(self.process.pid)
            self.process.wait()

    def children(self):
        pid = self.process.pid
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def until(self, ready):
        """Waits until it is ready. There is no event for that: it is asked, more and more seldom."""
        deadline, pause = time.monotonic() + LONGEST_START, 0.01
        while not ready():
            if self.process.poll() is not None:
                raise Unavailable(f"ended at its start: {last_line(pathlib.Path(self.log).read_bytes())}")
            if time.monotonic() > deadline:
                raise Unavailable(f"not ready after {LONGEST_START:.0f} s")
            time.sleep(pause)
            pause = min(pause * 2, 0.5)

    def until_answers(self, port, path):
        self.until(lambda: answers(port, path))


def answers(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def remove_cgroups(name):
    """Removes what container engines leave of the groups of this run: they are named after it."""
    root = pathlib.Path("/sys/fs/cgroup")
    for top in [path for path in root.rglob(name) if path.is_dir()]:
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(folder)
            except OSError as error:
                print(f"peers: cannot remove the control group {folder}: {error}", file=sys.stderr)
