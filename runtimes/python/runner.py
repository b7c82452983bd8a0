"""The Python runner: holds user code, speaks call frames on descriptor 3.

Steps kept apart, so that a runner can be forked between them: initialise() and load_ahead(), which know nothing of
a sandbox; enter() the one it is in; wait_for_call() until the host has sent one; run it and never come back. A
handler answers its requests in handler.py. With `--park` it stops itself before enter(): whoever has it go on, or
go on in a copy, has given it a sandbox by then, with descriptors 0 to 3 of its own. Such a one may be told to
Prepare: prepare.py loads packages, and it stops itself once more, to be copied.
No thread, no shared mapping, no epoll is held between them.

Only built-in modules are imported where a call is there: each import is paid in every cold start, and user code
sees what is already loaded. What is loaded ahead of a call is kept out of its sight by ahead.py. start.py runs this
file, among names of its own: FOLDER and code_of().
"""

import posix
import sys

VERSION = 8
HELLO = b"\x02\0\0\0\x40" + bytes(11) + VERSION.to_bytes(2, "little")
BEGIN, BODY, END, PREPARE = 0x30, 0x31, 0x32, 0x35
CONTRACTS = ("script", "argv-json", "handler")
PACKAGES = "/packages"
PARK, AGAIN = "--park", "--again="
SIGSTOP = 19
# A runner that waits is ready after this long at the latest, whatever its processor share.
LONGEST_AHEAD = 0.5


def initialise():
    """Makes the interpreter what a program expects, whatever the flags it was started with. Gives what makes what
    ends it."""
    sys.dont_write_bytecode = True
    for stream in (sys.stdin, sys.stdout):
        if stream is not None and stream.encoding != "utf-8":
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    if sys.stderr is not None and sys.stderr.encoding != "utf-8":
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    if sys.stdout is not None:
        sys.stdout.reconfigure(line_buffering=True)
    if sys.flags.no_site:
        add_built_ins_of_site()
    forget_coerced_locale()
    half = half_of("leave")
    exec(code_of("leave.py"), half)
    return half


def half_of(name):
    return {"__name__": name, "__builtins__": sys.modules["builtins"]}


def load_ahead(goes_on):
    """What programs need most, and the half that answers; None where there is no time for it."""
    if not goes_on():
        return None
    half = half_of("ahead")
    exec(code_of("ahead.py"), half)
    ahead = half["Ahead"]()
    ahead.load(goes_on)
    ahead.handler = half_of("handler")
    exec(code_of("handler.py"), ahead.handler)
    return ahead


def park():
    """Stops until there is a sandbox. This may be another process by then, whose descriptors are others."""
    posix.kill(posix.getpid(), SIGSTOP)
    posix.chdir("/workspace")
    open_streams()


def open_streams():
    """As the interpreter does when it starts: what a stream knows of its descriptor it asked for once."""
    io = sys.modules["io"]
    for descriptor, name, mode in ((0, "stdin", "rb"), (1, "stdout", "wb"), (2, "stderr", "wb")):
        errors = "backslashreplace" if name == "stderr" else "surrogateescape"
        try:
            file = io.open(descriptor, mode, closefd=False)
        except OSError:  # it is closed
            stream = None
        else:
            file.raw.name = "<%s>" % name
            stream = io.TextIOWrapper(file, "utf-8", errors, "\n", line_buffering=mode == "wb" or file.isatty())
            stream.mode = mode[0]
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)


def prepare(host, ahead, distributions):
    """Loads packages, stops itself, and goes on in a copy; ends where what they did does not belong into one."""
    half = half_of("prepare")
    exec(code_of("prepare.py"), half)
    packages = half["Packages"](ahead)
    packages.prepare(distributions)
    if host.ahead:
        raise SystemExit("runner: something comes behind Prepare")
    posix.kill(posix.getpid(), SIGSTOP)
    posix.chdir("/workspace")
    packages.go_on()
    ahead.enter()


def enter(leave, ahead):
    """Finds its way about the sandbox. Gives what ends the process."""
    if sys.flags.no_site:
        add_folders_of_site()
    sys.path.insert(0, "/workspace")
    if ahead is not None:
        ahead.enter()
    end = leave["Leaving"]()
    keep_only_builtins(leave)
    return end


def keep_only_builtins(names):
    """The interpreter imports with what it finds there, also for a traceback."""
    builtins = names["__builtins__"]
    names.clear()
    names["__builtins__"] = builtins


def add_built_ins_of_site():
    """The interactive built-ins, without the cost of `site`."""
    import builtins
    from _sitebuiltins import Quitter, _Helper

    builtins.exit = Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.help = _Helper()


def add_folders_of_site():
    """The function's own packages, and the distribution's."""
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
    given = b"\0"
    try:
        file = posix.open("/proc/self/environ", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:  # a zygote sees no processes, and is given no environment
        file = None
    while file is not None:
        piece = posix.read(file, 65536)
        if not piece:
            posix.close(file)
            break
        given += piece
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

    def is_silent(self):
        """Whether nothing has come yet, and not the stream's end."""
        if self.ahead:
            return False
        self.posix.set_blocking(self.socket, False)
        try:
            self.ahead = self.posix.read(self.socket, self.READ)
        except BlockingIOError:
            return True
        except OSError:  # shows again where it is read
            return False
        finally:
            self.posix.set_blocking(self.socket, True)
        return False

    def frame(self):
        """The next frame as (type, call, body); None where the stream ends between two frames."""
        ahead = self.ahead
        if not ahead:
            if not self.read_more(0):
                return None
            ahead = self.ahead
        # Nearly always all of it is there.
        number = int.from_bytes
        length = number(ahead[:4], "little")
        end = self.HEADER + length
        if len(ahead) >= end and length <= self.MAX_BODY:
            self.ahead = ahead[end:]
            return ahead[4], number(ahead[8:12], "little"), ahead[self.HEADER : end]
        header = self.take(self.HEADER)
        length = number(header[:4], "little")
        if length > self.MAX_BODY:
            raise SystemExit("runner: frame of %d bytes is longer than allowed" % length)
        return header[4], number(header[8:12], "little"), self.take(length)

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

    def take_over(self, descriptor):
        """What another program in this process has read before."""
        while piece := self.posix.read(descriptor, 1 << 20):
            self.ahead += piece
        self.posix.close(descriptor)

    def write(self, data):
        try:
            written = self.posix.write(self.socket, data) if data else 0
            while written < len(data):
                written += self.posix.write(self.socket, memoryview(data)[written:])
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
        at = self.at + 4
        self.at = end = at + int.from_bytes(self.body[at - 4 : at], "little")
        return self.body[at:end]

    def string(self):
        at = self.at + 4
        self.at = end = at + int.from_bytes(self.body[at - 4 : at], "little")
        return self.body[at:end].decode()


def wait_for_call(host, may_prepare=False, is_greeted=False):
    """Says hello and reads one call. Gives the function that runs it and its arguments; the socket
    stays open only where user code answers."""
    if not is_greeted:
        host.write(HELLO)
    kind, number, body = host.expect_frame()
    if kind == PREPARE and may_prepare:
        fields = Fields(body)
        prepare(host, ahead, [fields.string() for _ in range(fields.number(4))])
        host.write(HELLO)
        kind, number, body = host.expect_frame()
    if kind != BEGIN:
        raise SystemExit("runner: the call does not begin with Begin")
    frames, packages = [(kind, number, body)], ahead and ahead.packages
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
        kind, call, body = host.expect_frame()
        if packages:
            frames.append((kind, call, body))
        if kind == END:
            break
        if kind != BODY:
            raise SystemExit("runner: frame of type %#x inside the code" % kind)
        pieces.append(body)
    code = b"".join(pieces)
    if len(code) != length:
        raise SystemExit("runner: %d bytes of code came, %d were announced" % (len(code), length))
    if packages and packages.natives and (end.read(code) or not packages.suit()):
        begin_again(host, frames)
    if contract == "handler":
        return run_handler, (host, number, name, arguments, code)
    host.close()
    return run_script, (name, arguments, code)


def begin_again(host, frames):
    """Has an interpreter of its own, in this process, for a call that would not find here what it would find there."""
    call, data = posix.memfd_create("call", 0), b""
    for kind, number, body in frames:
        data += len(body).to_bytes(4, "little") + bytes((kind, 0, 0, 0)) + number.to_bytes(4, "little")
        data += bytes(4) + body
    rest = memoryview(data + host.ahead)
    while rest:
        rest = rest[posix.write(call, rest) :]
    posix.lseek(call, 0, 0)
    words = [*sys.orig_argv, AGAIN + str(call)]
    posix.execve(words[0], words, posix.environ)


def set_variable(name, value):
    """A variable of the call for which this process waited: for its children, and for `os` whether it is loaded
    by now or not."""
    posix.putenv(name, value)
    posix.environ[name] = value
    os = sys.modules.get("os") or ahead and ahead.known.get("os")
    if os:
        os.environb[name] = value


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
    if end.read(code) and ahead is not None:
        ahead.stand_aside()
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
    half = ahead and ahead.handler
    if not half:
        half = half_of("handler")
        exec(code_of("handler.py"), half)
    kind = "Handler"
    if len(arguments) > 2:
        exec(code_of("shared.py"), half)
        kind = "SharedHandler"
    handler = half[kind](host, Fields, hide_frames, frames_without(FOLDER))
    sys.modules["__main__"] = type(sys)("__main__")
    interpreter = sys
    if end.read(code) and ahead is not None:
        ahead.stand_aside()
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
    host, leave = Host(), initialise()
    parks = sys.argv[1:] == [PARK]
    is_greeted = sys.argv[-1].startswith(AGAIN)
    if parks or is_greeted:
        for words in sys.argv, sys.orig_argv:
            word = words.pop()
    if is_greeted:
        host.take_over(int(word[len(AGAIN) :]))
        ahead = None
        del word, words
    elif parks:
        del word, words
        ahead = load_ahead(lambda: True)
        park()
    else:
        clock = sys.modules["time"].monotonic
        until = clock() + LONGEST_AHEAD
        ahead = load_ahead(lambda: host.is_silent() and clock() < until)
        del clock, until
    end = enter(leave, ahead)
    run, call = wait_for_call(host, parks, is_greeted)
    run(end, *call)
