"""The Python runner: holds user code, speaks call frames on descriptor 3.

Three steps, kept apart so that an initialised runner can be forked between them:
initialise() once, wait_for_call() until the host has sent one, run() it and never come back.
No thread, no shared mapping, no epoll is held between them.

Only built-in modules are imported: each import is paid in every cold start, and user code
sees what is already loaded.
"""

import posix
import sys

VERSION = 2
SOCKET = 3
HEADER = 16
MAX_BODY = 128 * 1024
HELLO = b"\x02\0\0\0\x40" + bytes(11) + VERSION.to_bytes(2, "little")
BEGIN, BODY, END = 0x30, 0x31, 0x32
CONTRACTS = ("script", "argv-json")


def initialise():
    """Makes the interpreter what a program expects, whatever the flags it was started with."""
    sys.dont_write_bytecode = True
    for stream in (sys.stdin, sys.stdout):
        if stream is not None and stream.encoding != "utf-8":
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    if sys.stderr is not None and sys.stderr.encoding != "utf-8":
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    if sys.stdout is not None:
        sys.stdout.reconfigure(line_buffering=True)
    if sys.flags.no_site:
        add_what_site_adds()
    sys.path.insert(0, "/workspace")
    forget_coerced_locale()


def add_what_site_adds():
    """Distribution packages and the interactive built-ins, without the cost of `site`."""
    import builtins
    from _sitebuiltins import Quitter, _Helper

    builtins.exit = Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.help = _Helper()
    version = "%d.%d" % sys.version_info[:2]
    for folder in ("python3/dist-packages", "python" + version + "/site-packages"):
        path = sys.prefix + "/lib/" + folder
        try:
            posix.stat(path)
        except OSError:
            continue
        if path not in sys.path:
            sys.path.append(path)


def forget_coerced_locale():
    """The interpreter exports LC_CTYPE=C.UTF-8 when there is no locale; nobody asked for it."""
    if posix.environ.get(b"LC_CTYPE") != b"C.UTF-8":
        return
    try:
        file = posix.open("/proc/self/environ", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return
    given = b"\0"
    while True:
        piece = posix.read(file, 65536)
        if not piece:
            break
        given += piece
    posix.close(file)
    if b"\0LC_CTYPE=" in given:
        return
    posix.unsetenv(b"LC_CTYPE")
    del posix.environ[b"LC_CTYPE"]
    if "os" in sys.modules:
        sys.modules["os"].environ.pop("LC_CTYPE", None)


def wait_for_call():
    """Says hello, reads one call, closes the socket. Gives (file name, arguments, code)."""
    if posix.write(SOCKET, HELLO) != len(HELLO):
        raise SystemExit("runner: the host does not listen")
    kind, body = read_frame()
    if kind != BEGIN:
        raise SystemExit("runner: the call does not begin with Begin")
    contract, at = read_string(body, 0)
    name, at = read_string(body, at)
    count, at = read_number(body, at, 4)
    arguments = []
    for _ in range(count):
        argument, at = read_string(body, at)
        arguments.append(argument)
    length, at = read_number(body, at, 8)
    if contract not in CONTRACTS:
        raise SystemExit("runner: contract %s is not one of %s" % (contract, ", ".join(CONTRACTS)))
    pieces = []
    while True:
        kind, body = read_frame()
        if kind == END:
            break
        if kind != BODY:
            raise SystemExit("runner: frame of type %#x inside the code" % kind)
        pieces.append(body)
    code = b"".join(pieces)
    if len(code) != length:
        raise SystemExit("runner: %d bytes of code came, %d were announced" % (len(code), length))
    posix.close(SOCKET)
    return name, arguments, code


def read_frame():
    header = read_exactly(HEADER)
    length = int.from_bytes(header[:4], "little")
    if length > MAX_BODY:
        raise SystemExit("runner: frame of %d bytes is longer than allowed" % length)
    return header[4], read_exactly(length)


def read_exactly(length):
    data = b""
    while len(data) < length:
        piece = posix.read(SOCKET, length - len(data))
        if not piece:
            raise SystemExit("runner: the host closed the call socket")
        data += piece
    return data


def read_number(body, at, length):
    return int.from_bytes(body[at : at + length], "little"), at + length


def read_string(body, at):
    length, at = read_number(body, at, 4)
    return body[at : at + length].decode(), at + length


def run(name, arguments, code):
    """Runs the code as `python FILE` would. What is raised leaves through the interpreter itself,
    so exit codes, threads, atexit handlers and flushing are its own. The runner's names are gone
    by then: user code that climbs the frames finds an empty module."""
    path = "/code/" + name
    keep_source(path, code)
    module = type(sys)("__main__")
    namespace = module.__dict__
    namespace["__file__"] = path
    namespace["__cached__"] = None
    namespace["__builtins__"] = sys.modules["builtins"]
    namespace["__loader__"] = sys.modules["_frozen_importlib_external"].SourceFileLoader("__main__", path)
    sys.argv = [path, *arguments]
    sys.modules["__main__"] = module
    interpreter, hide, own = sys, hide_frames, globals()
    del name, arguments, module
    own.clear()
    own["__builtins__"] = namespace["__builtins__"]  # the interpreter imports with what it finds here
    try:
        program = compile(code, path, "exec", dont_inherit=True)
        del code
        exec(program, namespace)
    except SystemExit:
        raise
    except BaseException:
        interpreter.excepthook = hide(interpreter)
        raise


def keep_source(path, code):
    """Tracebacks, `inspect` and the warnings of threads read the source by its path. Without room
    for it the program still runs; only the quoted lines are missing."""
    try:
        file = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC, 0o644)
    except OSError:
        return
    try:
        rest = memoryview(code)
        while rest:
            rest = rest[posix.write(file, rest) :]
    except OSError:
        pass
    finally:
        posix.close(file)


def hide_frames(interpreter):
    """An exception hook for one exception: it shows it without the runner's frames, through the
    hook that user code left in place."""
    hook = interpreter.excepthook

    def show(kind, value, trace):
        interpreter.excepthook = hook
        while trace is not None and trace.tb_frame.f_code.co_filename == show.__code__.co_filename:
            trace = trace.tb_next
        interpreter.last_traceback = trace
        hook(kind, value.with_traceback(trace), trace)

    return show


if __name__ == "__main__":
    initialise()
    run(*wait_for_call())
