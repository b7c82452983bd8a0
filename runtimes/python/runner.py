"""The Python runner: holds user code, speaks call frames on descriptor 3.

Three steps, kept apart so that an initialised runner can be forked between them:
initialise() once, wait_for_call() until the host has sent one, run it and never come back. A handler
answers its requests in handler.py.
No thread, no shared mapping, no epoll is held between them.

Only built-in modules are imported: each import is paid in every cold start, and user code
sees what is already loaded. start.py runs this file, among names of its own: FOLDER and code_of().
"""

import posix
import sys

VERSION = 7
HELLO = b"\x02\0\0\0\x40" + bytes(11) + VERSION.to_bytes(2, "little")
BEGIN, BODY, END = 0x30, 0x31, 0x32
CONTRACTS = ("script", "argv-json", "handler")
PACKAGES = "/packages"


def initialise():
    """Makes the interpreter what a program expects, whatever the flags it was started with. Gives what ends it."""
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
    half = {"__name__": "leave", "__builtins__": sys.modules["builtins"]}
    exec(code_of("leave.py"), half)
    end = half["Leaving"]()
    keep_only_builtins(half)
    return end


def keep_only_builtins(names):
    """The interpreter imports with what it finds there, also for a traceback."""
    builtins = names["__builtins__"]
    names.clear()
    names["__builtins__"] = builtins


def add_what_site_adds():
    """The function's own packages, the distribution's, and the interactive built-ins, without the cost of `site`."""
    import builtins
    from _sitebuiltins import Quitter, _Helper

    builtins.exit = Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.help = _Helper()
    version = "%d.%d" % sys.version_info[:2]
    own = sys.prefix + "/lib/"
    folders = (PACKAGES, own + "python3/dist-packages", own + "python" + version + "/site-packages")
    for path in folders:
        try:
            # An empty directory stands where there are no packages.
            posix.stat(path + "/faas.lock" if path == PACKAGES else path)
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


class Host:
    """The call socket, read frame by frame. The names of this file are gone while a handler runs, so
    it holds what it needs."""

    HEADER = 16
    MAX_BODY = 128 * 1024
    READ = 64 * 1024
    CLOSED = "runner: the host closed the call socket"
    posix = posix

    def __init__(self):
        self.socket = 3
        self.ahead = b""

    def frame(self):
        """The next frame as (type, call, body); None where the stream ends between two frames."""
        if not self.ahead and not self.read_more(0):
            return None
        header = self.take(self.HEADER)
        length = int.from_bytes(header[:4], "little")
        if length > self.MAX_BODY:
            raise SystemExit("runner: frame of %d bytes is longer than allowed" % length)
        return header[4], int.from_bytes(header[8:12], "little"), self.take(length)

    def expect_frame(self):
        frame = self.frame()
        if frame is None:
            raise SystemExit(self.CLOSED)
        return frame

    def take(self, length):
        while len(self.ahead) < length:
            if not self.read_more(length - len(self.ahead)):
                raise SystemExit(self.CLOSED)
        taken, self.ahead = self.ahead[:length], self.ahead[length:]
        return taken

    def read_more(self, missing):
        try:
            piece = self.posix.read(self.socket, max(missing, self.READ))
        except ConnectionResetError:  # closed while something of ours was not read yet
            return False
        except OSError as error:
            raise SystemExit("runner: reading from the host failed: %s" % error) from None
        self.ahead += piece
        return bool(piece)

    def write(self, data):
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self.posix.write(self.socket, rest) :]
        except OSError as error:
            raise SystemExit("runner: writing to the host failed: %s" % error) from None

    def close(self):
        """Nothing can be read or written afterwards, whatever else gets the descriptor's number."""
        socket, self.socket = self.socket, -1
        if socket >= 0:
            self.posix.close(socket)


class Fields:
    """Reads the fields of a body in their order."""

    def __init__(self, body):
        self.body, self.at = body, 0

    def take(self, length):
        self.at += length
        return self.body[self.at - length : self.at]

    def number(self, length):
        return int.from_bytes(self.take(length), "little")

    def bytes(self):
        return self.take(self.number(4))

    def string(self):
        return self.bytes().decode()


def wait_for_call(host):
    """Says hello and reads one call. Gives the function that runs it and its arguments; the socket
    stays open only where user code answers."""
    host.write(HELLO)
    kind, number, body = host.expect_frame()
    if kind != BEGIN:
        raise SystemExit("runner: the call does not begin with Begin")
    fields = Fields(body)
    contract, name = fields.string(), fields.string()
    arguments = [fields.string() for _ in range(fields.number(4))]
    for _ in range(fields.number(4)):
        set_variable(fields.bytes(), fields.bytes())
    length = fields.number(8)
    if contract not in CONTRACTS:
        raise SystemExit("runner: contract %s is not one of %s" % (contract, ", ".join(CONTRACTS)))
    pieces = []
    while True:
        kind, _, body = host.expect_frame()
        if kind == END:
            break
        if kind != BODY:
            raise SystemExit("runner: frame of type %#x inside the code" % kind)
        pieces.append(body)
    code = b"".join(pieces)
    if len(code) != length:
        raise SystemExit("runner: %d bytes of code came, %d were announced" % (len(code), length))
    if contract == "handler":
        return run_handler, (host, number, name, arguments, code)
    host.close()
    return run_script, (name, arguments, code)


def set_variable(name, value):
    """A variable of the call for which this process waited: for its children, and for `os` whether it is loaded
    by now or not."""
    posix.putenv(name, value)
    posix.environ[name] = value
    if "os" in sys.modules:
        sys.modules["os"].environb[name] = value


def run_script(end, name, arguments, code):
    """Runs the code as `python FILE` would. What is raised leaves through the interpreter itself,
    so exit codes, threads, atexit handlers and flushing are its own; where nobody can tell, its end is
    left out. The runner's names are gone by then: user code that climbs the frames finds an empty module."""
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
    interpreter, hide, without_runner = sys, hide_frames, frames_without(FOLDER)
    kind_of, exiting, number, status = type, SystemExit, int, 0
    end.read(code)
    del name, arguments, module
    keep_only_builtins(globals())
    try:
        try:
            program = compile(code, path, "exec", dont_inherit=True)
            del code
            exec(program, namespace)
        except exiting as error:
            if kind_of(error) is not exiting:
                raise
            if error.code is not None and (kind_of(error.code) is not number or not 0 <= error.code <= 255):
                raise
            status = error.code or 0
        # What held on to the exception is dropped by now, before exit functions run. Nothing is called where
        # each call is seen.
        if interpreter.gettrace() is None and interpreter.getprofile() is None:
            end.leave(status)
    except exiting:
        raise
    except BaseException:
        interpreter.excepthook = hide(interpreter, without_runner)
        raise
    finally:
        end.stay()
    if status:
        raise exiting(status)


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


def run_handler(end, host, number, name, arguments, code):
    """Hands over to handler.py, and to shared.py where calls are to overlap, which lie beside this file so
    that only those who need them read them. As for a script, no module and no frame has the runner's names
    afterwards."""
    path = "/code/" + name
    keep_source(path, code)
    half = {"__name__": "handler", "__builtins__": sys.modules["builtins"]}
    exec(code_of("handler.py"), half)
    kind = "Handler"
    if len(arguments) > 2:
        exec(code_of("shared.py"), half)
        kind = "SharedHandler"
    handler = half[kind](host, Fields, hide_frames, frames_without(FOLDER))
    sys.modules["__main__"] = type(sys)("__main__")
    interpreter = sys
    end.read(code)
    keep = keep_only_builtins
    keep(half)
    keep(globals())
    try:
        handler.serve(number, path, arguments, code)
        if interpreter.gettrace() is None and interpreter.getprofile() is None:
            end.leave(0)
    finally:
        end.stay()


def frames_without(folder):
    """A function that takes the frames of a folder's files out of a traceback, wherever they are."""

    def ours(trace):
        return trace.tb_frame.f_code.co_filename.startswith(folder)

    def without(trace):
        while trace is not None and ours(trace):
            trace = trace.tb_next
        at = trace
        while at is not None:
            while at.tb_next is not None and ours(at.tb_next):
                at.tb_next = at.tb_next.tb_next
            at = at.tb_next
        return trace

    return without


def hide_frames(interpreter, without_runner):
    """An exception hook for one exception: it shows it without the runner's frames, through the
    hook that user code left in place."""
    hook = interpreter.excepthook

    def show(kind, value, trace):
        interpreter.excepthook = hook
        trace = without_runner(trace)
        interpreter.last_traceback = trace
        hook(kind, value.with_traceback(trace), trace)

    return show


if __name__ == "__main__":
    end = initialise()
    run, call = wait_for_call(Host())
    run(end, *call)
