# Put in front of every hostile Python program by the suite. A program reports in lines:
#   try NAME ALLOWED|ERRNO   one thing that must not work
#   fact NAME VALUE          something the suite judges
#   done                     the program reached its end
import ctypes, errno, os, signal, socket, struct, sys, threading, time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

CLONE_FLAGS = {
    "newtime": 0x80, "newns": 0x20000, "newcgroup": 0x2000000, "newuts": 0x4000000,
    "newipc": 0x8000000, "newuser": 0x10000000, "newpid": 0x20000000, "newnet": 0x40000000,
}


def say(*words):
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode("utf-8", "backslashreplace"))


def fact(name, value):
    say("fact", name, value)


def name_of(number):
    return errno.errorcode.get(number, "E%d" % number)


def system_call(number, *arguments):
    """(result, errno name or None) of one raw system call."""
    converted = []
    for argument in arguments:
        if isinstance(argument, int):
            argument = ctypes.c_ulong(argument & 0xFFFFFFFFFFFFFFFF)
        converted.append(argument)
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *converted)
    return (result, name_of(ctypes.get_errno()) if result == -1 else None)


def raw(name, number, *arguments):
    """Tries one system call that must be refused."""
    _, error = system_call(number, *arguments)
    say("try", name, error or "ALLOWED")
    return error is None


def attempt(name, action):
    """Tries one action that must be refused: an OSError is a refusal, anything else is not."""
    try:
        action()
    except OSError as problem:
        say("try", name, name_of(problem.errno))
        return False
    say("try", name, "ALLOWED")
    return True


def write_to(path, data):
    def action():
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
    return action


def open_for(path, flags=os.O_RDONLY):
    def action():
        os.close(os.open(path, flags))
    return action


# How much slower than usual this machine is, for bounds on time.
TIME_FACTOR = int(os.environ.get("FAAS_HOSTILE_TIME_FACTOR", "1"))


def in_child(action, bound=10.0):
    """Runs action in a forked child: its exit code, or the name of the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = action() or 0
        except OSError as problem:
            code = problem.errno
        finally:
            os._exit(code)
    limit = time.monotonic() + bound * TIME_FACTOR
    while time.monotonic() < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "BLOCKED"


MARK = os.environ.get("FAAS_HOSTILE_MARK", "no-mark")
MARK_FILE = os.environ.get("FAAS_HOSTILE_MARK_FILE", "/tmp/no-mark")
# --- end of the prelude ---
