"""The handler contract: one program, loaded once, answers one request after the other.

runner.py reads this file where the contract asks for it; it is no module. Its names are gone before
user code runs, so objects hold what they need later. An import stands where it is needed first: asyncio
alone costs more than the rest of a cold start.
"""

import _signal
import posix
import sys

BODY, END, CREDIT, REQUEST = 0x31, 0x32, 0x33, 0x34


class Headers(dict):
    """Header names in lower case, found in any."""

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __contains__(self, name):
        return super().__contains__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)

    def came(self, name, value):
        """Adds a header as it came. What came several times is one list, as HTTP has it."""
        name = name.lower()
        try:
            value = value.decode()
        except UnicodeDecodeError:
            value = value.decode("latin-1")
        if name in self:
            value = self[name] + ("; " if name == "cookie" else ", ") + value
        self[name] = value


class Request:
    """What a handler is given."""

    def __init__(self, method, path, query_string, headers, body):
        self.method = method
        self.path = path
        self.query_string = query_string
        self.headers = headers
        self.body = body
        self._query_params = None

    def __repr__(self):
        return "<Request %s %s>" % (self.method, self.path)

    @property
    def query_params(self):
        """The parameters of the query, decoded; of several with one name the last."""
        if self._query_params is None:
            self._query_params = {}
            for field in filter(None, self.query_string.split("&")):
                name, _, value = field.replace("+", " ").partition("=")
                if "%" in field:
                    from urllib.parse import unquote

                    name, value = unquote(name), unquote(value)
                self._query_params[name] = value
        return self._query_params

    def get_json(self):
        import json

        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ValueError("the request's body is not JSON: %s" % error) from None

    json = property(get_json)

    def get_text(self):
        return self.body.decode()

    def get_header(self, name, default=None):
        return self.headers.get(name, default)


class Answer:
    """The frames of one answer. They leave together, as far as that delays nothing."""

    CREDIT = CREDIT
    HEAD, BODY, END, FAILED, LOADED, BUSY = 0x41, 0x42, 0x43, 0x44, 0x45, 0x46
    MAX_BODY = 128 * 1024
    SHORT = 4096  # one piece, which leaves with the end
    MAX_HEADERS = 4096
    MAX_MESSAGE = 1000
    system = sys

    def __init__(self, host, call):
        self.host, self.call = host, call
        self.credit = self.sequence = 0
        self.unsent, self.begun, self.busy = bytearray(), False, False

    def read(self):
        """The next frame of the host's, as (type, body); what a Credit brings has been added."""
        kind, call, body = self.host.expect_frame()
        if kind == self.CREDIT and call == self.call:
            self.credit += int.from_bytes(body, "little")
        return kind, body

    def head(self, status, headers):
        body = status.to_bytes(2, "little") + len(headers).to_bytes(4, "little")
        for name, value in headers:
            body += len(name).to_bytes(4, "little") + name + len(value).to_bytes(4, "little") + value
        if len(headers) > self.MAX_HEADERS or len(body) > self.MAX_BODY:
            limits = len(headers), len(body), self.MAX_HEADERS, self.MAX_BODY
            raise ValueError("%d headers make a head of %d bytes; at most %d and %d are accepted" % limits)
        self.add(self.HEAD, body)

    def body(self, data):
        if 0 < len(data) <= min(self.credit, self.SHORT):
            self.add(self.BODY, data, self.sequence)
            self.credit -= len(data)
            self.sequence += 1
            return
        rest = memoryview(data)
        while rest:
            if self.credit == 0:
                self.wait_for_credit()
                continue
            length = min(len(rest), self.credit, self.MAX_BODY)
            self.add(self.BODY, rest[:length], self.sequence)
            self.credit -= length
            self.sequence += 1
            rest = rest[length:]
            if len(self.unsent) >= self.MAX_BODY:
                self.send()

    def wait_for_credit(self):
        if not self.host.ahead:
            self.send()
        kind, _ = self.read()
        if kind != self.CREDIT:
            raise SystemExit("runner: frame of type %#x inside an answer" % kind)

    def loaded(self):
        self.add(self.LOADED, b"")
        self.send()

    def end(self):
        self.flush_streams()
        self.say_busy()
        self.add(self.END, b"")
        self.send()

    def failed(self, message):
        if not self.begun:
            self.unsent.clear()
        self.flush_streams()
        self.say_busy()
        message = message[: self.MAX_MESSAGE].encode("utf-8", "replace")
        self.add(self.FAILED, len(message).to_bytes(4, "little") + message)
        self.send()

    def say_busy(self):
        if self.busy:
            self.add(self.BUSY, b"")

    def add(self, kind, body, sequence=0):
        # The fields of a frame's head lie side by side.
        head = len(body) | kind << 32 | self.call << 64 | sequence << 96
        self.unsent += head.to_bytes(16, "little")
        self.unsent += body

    def send(self):
        frames, self.unsent = self.unsent, bytearray()
        self.begun = True
        self.host.write(frames)

    def flush_streams(self):
        """What has been printed belongs to this call."""
        for name in ("stdout", "stderr"):
            try:
                getattr(self.system, name).flush()
            except Exception:  # closed, replaced or broken by the program
                pass


class Handler:
    """The program and what it answers with."""

    TEXT, BYTES, JSON = "text/plain; charset=utf-8", "application/octet-stream", "application/json"
    BODIES = "dict, list, str, bytes, int, float, bool, None, a generator or an async generator of str and bytes"
    ACCEPTED = BODIES + "; or one of them in a tuple (body, status) or (body, status, headers)"
    TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    CONTROLS = bytes(byte for byte in range(32) if byte != 9) + b"\x7f"
    BODY, END, CREDIT, REQUEST = BODY, END, CREDIT, REQUEST
    Answer, Headers, Request = Answer, Headers, Request
    posix, system, show = posix, sys, sys.__excepthook__
    timer, timers = _signal.getitimer, (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF)
    UNSET, NONE = (0.0, 0.0), (False, False, False)

    def __init__(self, host, fields, hide_frames, without_runner):
        self.host, self.fields = host, fields
        self.hide_frames, self.without_runner = hide_frames, without_runner
        self.name = self.function = self.loop = None

    def serve(self, number, path, arguments, code):
        """Loads the program and answers until the host closes the stream. What ends the program
        leaves through the interpreter itself, as from a script."""
        self.posix.set_inheritable(self.host.socket, False)
        self.posix.register_at_fork(after_in_child=self.host.close)  # what forks must not answer twice
        interpreter = self.system
        try:
            self.load(path, arguments, code)
            del code
            self.Answer(self.host, number).loaded()
            while self.answer_next():
                pass
        except SystemExit:
            raise
        except BaseException:
            interpreter.excepthook = self.hide_frames(interpreter, self.without_runner)
            raise
        finally:
            self.close_loop()

    def load(self, path, arguments, code):
        self.name = arguments[0] if arguments else ""
        file = path.rpartition("/")[2]
        stem = file.rpartition(".")[0] or file
        files, bootstrap = self.system.modules["_frozen_importlib_external"], self.system.modules["_frozen_importlib"]
        loader = files.SourceFileLoader(stem, path)
        module = bootstrap.module_from_spec(files.spec_from_file_location(stem, path, loader=loader))
        self.system.argv = [path]
        self.system.modules.setdefault(stem, module)  # a program called sys.py must not replace sys
        exec(compile(code, path, "exec", dont_inherit=True), module.__dict__)
        self.function = module.__dict__.get(self.name)
        if not callable(self.function):
            accepted = "define it there, or give the name of a function at module level as entry"
            raise SystemExit("%s has no function %r; %s" % (path, self.name, accepted))

    def answer_next(self):
        """Answers one request; False where there is none any more."""
        while True:
            frame = self.host.frame()
            if frame is None:
                self.host.close()
                return False
            kind, call, body = frame
            if kind != self.CREDIT:  # a last one for the answer before
                break
        if kind != self.REQUEST:
            raise SystemExit("runner: frame of type %#x where a request is due" % kind)
        answer = self.Answer(self.host, call)
        answer.armed = self.armed()
        request = self.read_request(answer, self.fields(body))
        try:
            result = self.function(request)
            if hasattr(type(result), "__await__"):
                result = self.wait(result)
            self.respond(answer, result)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.report(error)
            self.settle(answer)
            answer.failed(self.line_of(error))
        return True

    def read_request(self, answer, fields):
        method, path, query, headers = fields.string(), fields.string(), fields.string(), self.Headers()
        for _ in range(fields.number(4)):
            headers.came(fields.string(), fields.bytes())
        length, pieces = fields.number(8), []
        while True:
            kind, piece = answer.read()
            if kind == self.END:
                break
            if kind == self.BODY:
                pieces.append(piece)
            elif kind != self.CREDIT:
                raise SystemExit("runner: frame of type %#x inside a request" % kind)
        body = b"".join(pieces)
        if len(body) != length:
            raise SystemExit("runner: a body of %d bytes came, %d were announced" % (len(body), length))
        return self.Request(method, path, query, headers, body)

    def respond(self, answer, result):
        status, headers = 200, ()
        if isinstance(result, tuple):
            result, status, headers = self.parts_of(result)
        kind, body = self.body_of(result)
        headers = self.checked(headers)
        if result is None and status in (204, 304):
            body = b""
        elif not headers or not any(name.lower() == b"content-type" for name, _ in headers):
            headers.insert(0, (b"content-type", kind.encode()))
        answer.head(status, headers)
        if isinstance(body, bytes):
            answer.body(body)
        else:
            self.stream(answer, body)
        self.settle(answer)
        answer.end()

    def stream(self, answer, pieces):
        """Sends each piece when it has been produced: the head with the first."""
        try:
            for piece in pieces:
                if isinstance(piece, str):
                    piece = piece.encode()
                elif isinstance(piece, (dict, list)):
                    piece = self.json_of(piece, "yielded") + b"\n"
                elif not isinstance(piece, (bytes, bytearray, memoryview)):
                    raise self.refusal("yielded", piece, "str, bytes, dict or list")
                answer.body(bytes(piece))
                answer.send()
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def parts_of(self, result):
        if len(result) not in (2, 3):
            raise self.refusal("returned", result, self.ACCEPTED, " of %d" % len(result))
        body, status, *headers = result
        if not isinstance(status, int) or not 200 <= status <= 599:
            raise ValueError("%s returned status %.80r; accepted: an int from 200 to 599" % (self.name, status))
        return body, status, headers[0] if headers and headers[0] is not None else ()

    def body_of(self, result):
        """The content type of a result, and its bytes or an iterator of what it streams."""
        kind = type(result)
        if isinstance(result, str):
            return self.TEXT, result.encode()
        if isinstance(result, (bytes, bytearray, memoryview)):
            return self.BYTES, bytes(result)
        if result is None or isinstance(result, (dict, list, int, float)):
            return self.JSON, self.json_of(result, "returned")
        if hasattr(kind, "__aiter__"):
            return self.TEXT, self.driven(result)
        if hasattr(kind, "__next__"):
            return self.TEXT, result
        raise self.refusal("returned", result, self.ACCEPTED)

    def json_of(self, value, did):
        import json

        try:
            return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise self.refusal(did, value, self.BODIES, " that is not JSON (%s)" % error) from None

    def checked(self, headers):
        """Headers as a list of pairs of bytes."""
        accepted = "accepted: a dict or a list of pairs of a name and a str or bytes"
        if isinstance(headers, tuple) and not headers:
            return []
        pairs = list(headers.items()) if hasattr(headers, "items") else headers
        checked = []
        if not isinstance(pairs, (list, tuple)):
            raise TypeError("%s returned headers as %s; %s" % (self.name, type(headers).__name__, accepted))
        for pair in pairs:
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise TypeError("%s returned the header %.80r; %s" % (self.name, pair, accepted))
            name, value = pair
            if not isinstance(name, str) or not name or not self.TOKEN.issuperset(name):
                accepted = "accepted: letters, digits and !#$%&'*+-.^_`|~"
                raise ValueError("%s returned the header name %.80r; %s" % (self.name, name, accepted))
            if not isinstance(value, (str, bytes)):
                form = self.name, name, type(value).__name__
                raise TypeError("%s returned the header %s as %s; accepted: str or bytes" % form)
            value = value.encode() if isinstance(value, str) else value
            if len(value.translate(None, self.CONTROLS)) != len(value):
                form = self.name, name, value
                raise ValueError("%s returned the header %s as %.80r; accepted: no CR, LF, NUL or other control" % form)
            checked.append((name.encode(), value))
        return checked

    def refusal(self, did, value, accepted, detail=""):
        return TypeError("%s %s %s%s; accepted: %s" % (self.name, did, type(value).__name__, detail, accepted))

    def driven(self, stream):
        """An asynchronous iterator as a plain one."""
        iterator = type(stream).__aiter__(stream)
        try:
            while True:
                try:
                    piece = self.wait(iterator.__anext__())
                except StopAsyncIteration:
                    return
                yield piece
        finally:
            if hasattr(iterator, "aclose"):
                self.wait(iterator.aclose())

    def wait(self, awaitable):
        """What an awaitable gives. All calls share one event loop; it stands still between them."""
        if self.loop is None or self.loop.is_closed():
            import asyncio

            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        value, error = self.loop.run_until_complete(self.outcome(awaitable))
        if error is not None:
            raise error
        return value

    async def outcome(self, awaitable):
        """Carries what is raised past asyncio, whose frames nobody asked for."""
        try:
            return await awaitable, None
        except BaseException as error:
            return None, error

    def settle(self, answer):
        """As asyncio.run() would: what a call leaves in the loop is cancelled with it, and what that prints is
        the call's own. What is due later cannot be told from what the next call does."""
        self.cancel_tasks()
        scheduled = self.loop is not None and any(not due.cancelled() for due in getattr(self.loop, "_scheduled", ()))
        armed = self.armed()
        if scheduled or armed != self.NONE and any(now and not before for now, before in zip(armed, answer.armed)):
            answer.busy = True

    def armed(self):
        """Which of the interval timers run: their signals would meet the next call."""
        timer, (real, virtual, profiling), unset = self.timer, self.timers, self.UNSET
        return timer(real) != unset, timer(virtual) != unset, timer(profiling) != unset

    def cancel_tasks(self):
        if self.loop is None or self.loop.is_closed():
            return
        import asyncio

        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks))

    def close_loop(self):
        """As asyncio.run() leaves its loop."""
        self.cancel_tasks()
        if self.loop is None or self.loop.is_closed():
            return
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def report(self, error):
        """Shows what was raised as the interpreter does, without the runner's frames."""
        chained, seen = error, set()
        while chained is not None and id(chained) not in seen:
            seen.add(id(chained))
            chained.__traceback__ = self.without_runner(chained.__traceback__)
            chained = chained.__context__ if chained.__cause__ is None else chained.__cause__
        self.show(type(error), error, error.__traceback__)

    def line_of(self, error):
        try:
            text = str(error)
        except Exception:
            text = "<exception str() failed>"
        kind = type(error).__name__
        return " ".join((kind + ": " + text[: self.Answer.MAX_MESSAGE] if text else kind).split())
