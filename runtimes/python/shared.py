"""The handler contract where one program answers several calls at once.

runner.py reads this file after handler.py, into the same names, where the host asks for it. The main thread
reads frames and hands them out, as many workers as there may be calls run handlers, one event loop in a
thread of its own runs everything asynchronous, and a sender sends what waited for credit. All of them exist
before `Loaded`. Locks are taken in this order: an answer's `sending`, its `granted` or the wire's. Nobody
waits for credit with `sending` or the wire's lock held.

Objects are finalised anywhere, also below these locks, and what finalises them may print. So the locks can be
taken again by their own thread, and a print from below one of them is only collected.
"""

import asyncio
import contextvars
import io
import threading
import warnings
from _queue import SimpleQueue
from time import monotonic


class Unanswered(SystemExit):
    """The host is gone; nothing can be said to it."""


class Wire:
    """The call socket's writing side: whole frames, whichever thread they come from."""

    Unanswered, RLock = Unanswered, staticmethod(threading.RLock)

    def __init__(self, host):
        self.host, self.CLOSED = host, host.CLOSED
        self.renew()

    def renew(self):
        self.lock = self.RLock()

    def write(self, frames):
        try:
            with self.lock:
                self.host.write(frames)
        except SystemExit as error:
            raise self.Unanswered(*error.args) from None


class SharedAnswer(Answer):
    """One of several calls: what came of its request, its credit, what it printed, its answer.

    Who prints may hold a logger's lock, or be the event loop: all prints of a call together wait a second for
    credit at the most, and then fail. `collected` only grows and shrinks in place, so any thread adds to it
    without a lock."""

    PRINTED = 0x47
    MAX_PRINTED = Answer.MAX_BODY - 1
    SENT_AT, MUCH, PATIENCE = 8 * 1024, 1024 * 1024, 1
    TOO_MUCH = "this call printed 1 MiB that nobody has taken yet; print less, or with pauses"
    Unanswered, RLock, Condition = Unanswered, staticmethod(threading.RLock), threading.Condition
    clock = staticmethod(monotonic)

    def __init__(self, wire, call, calls, asked):
        super().__init__(wire, call)
        self.calls, self.asked, self.arrived, self.request = calls, asked, [], None
        self.collected = {1: bytearray(), 2: bytearray()}
        self.accepts, self.over, self.closed, self.patience = True, False, False, self.PATIENCE
        self.renew()

    def renew(self):
        self.sending, self.granted = self.RLock(), self.Condition()

    def read(self):
        return self.arrived.pop(0)

    # Credit.

    def grant(self, length):
        with self.granted:
            self.credit += length
            self.granted.notify_all()

    def take(self, wanted):
        with self.granted:
            length = min(wanted, self.credit)
            self.credit -= length
        return length

    def close(self):
        """No more credit will come."""
        with self.granted:
            self.closed, self.patience = True, 0
            self.granted.notify_all()

    def wait_for_credit(self):
        self.send()  # what the host has not got, it gives no new credit for
        with self.granted:
            while not self.credit:
                if self.closed:
                    raise self.Unanswered(self.host.CLOSED)
                self.granted.wait()

    # Prints.

    def printed(self, stream, data):
        while self.held() >= self.MUCH:
            if self.patience <= 0 or self.is_inside():
                raise BlockingIOError(11, self.TOO_MUCH)
            began = self.clock()
            with self.granted:
                if not self.credit:
                    self.granted.wait(self.patience)
            self.patience -= self.clock() - began
            self.send_printed()
        collected = self.collected[stream]
        collected += data
        if len(collected) >= self.SENT_AT:
            self.send_printed()

    def held(self):
        return sum(map(len, self.collected.values()))

    def drain(self):
        """Waits until little of what was printed is left, where no lock of the program's is held."""
        while self.held() >= self.SENT_AT:
            self.wait_for_credit()

    def is_inside(self):
        """Whether this thread holds one of the locks, below what a finaliser does."""
        return self.sending._is_owned() or self.granted._is_owned() or self.host.lock._is_owned()

    def send_printed(self):
        """Sends what was printed, as far as there is credit."""
        if any(self.collected.values()) and not self.is_inside():
            with self.sending:
                self.write_printed()

    def write_printed(self):
        """Writes what there is now. More may come meanwhile, and again and again."""
        for stream, collected in self.collected.items():
            due = len(collected)
            while due and not self.over:
                length = self.take(min(due, self.MAX_PRINTED))
                if not length:
                    return
                due -= length
                frame = (length + 1).to_bytes(4, "little") + bytes((self.PRINTED, 0, 0, 0))
                frame += self.call.to_bytes(4, "little") + bytes((0, 0, 0, 0, stream)) + collected[:length]
                del collected[:length]
                try:
                    self.host.write(frame)
                except self.Unanswered:  # nobody reads it any more, which the answer itself will say
                    pass

    def finish_printing(self):
        """Sends the last of it. What is printed from now on is nobody's."""
        self.flush_streams()
        self.accepts = False
        while True:
            with self.sending:
                self.write_printed()
                self.over = not any(self.collected.values())
            if self.over:
                break
            self.wait_for_credit()
        self.calls.pop(self.call, None)
        self.request = None  # a context that outlives the call holds this object

    # The answer.

    def flush_streams(self):
        """A call that has been settled can only end: nothing that streams of the program's raise fails it again."""
        try:
            super().flush_streams()
        except (SystemExit, KeyboardInterrupt):
            pass

    def body(self, data):
        self.drain()
        rest = memoryview(data)
        while rest:
            length = self.take(min(len(rest), self.MAX_BODY))
            if not length:
                self.wait_for_credit()
                continue
            self.add(self.BODY, rest[:length], self.sequence)
            self.sequence += 1
            rest = rest[length:]
            if len(self.unsent) >= self.MAX_BODY:
                self.send()

    def send(self):
        self.send_printed()
        super().send()

    def end(self):
        self.finish_printing()
        super().end()

    def failed(self, message):
        if not self.begun:
            self.unsent.clear()
        self.finish_printing()
        super().failed(message)


class Output(io.BufferedIOBase):
    """The bytes of standard output or error: the running call's, else the descriptor's."""

    mode = "wb"

    def __init__(self, descriptor, stream, running):
        self.descriptor, self.name, self.running = descriptor, stream.name, running
        self.plain, self.raw = stream.buffer, stream.buffer.raw
        self.kept = stream  # would close what it wraps

    def call(self):
        """The running call. One that is over has no prints: what goes on in its context is nobody's."""
        call = self.running()
        return call if call is not None and call.accepts else None

    def write(self, data):
        if not isinstance(data, bytes):
            data = memoryview(data).tobytes()
        call = self.call()
        if call is None:
            return self.plain.write(data)
        call.printed(self.descriptor, data)
        return len(data)

    def flush(self):
        call = self.call()
        if call is None:
            self.plain.flush()
        else:
            call.send_printed()

    def close(self):
        """Other calls print too, and so does who is left when a stream around this one is dropped."""
        self.flush()

    def be_plain(self):
        """From now on to the descriptor, whoever prints; the old stream's lock may be held for ever."""
        self.kept = self.kept, self.plain
        self.running, self.plain = self.nobody, open(self.descriptor, "wb", closefd=False)

    @staticmethod
    def nobody():
        return None

    def writable(self):
        return True

    def fileno(self):
        return self.plain.fileno()

    def isatty(self):
        return self.plain.isatty()


class Text(io.TextIOWrapper):
    """A standard stream, which keeps nothing back itself: what several calls print would meet there."""

    def reconfigure(self, **options):
        super().reconfigure(**dict(options, write_through=True))


class SharedHandler(Handler):
    """The program, its threads and the calls under way."""

    DOES_NOT_END = ": a program that answers several calls at once does not end with one of them"
    Wire, SharedAnswer, Output, Text, Unanswered = Wire, SharedAnswer, Output, Text, Unanswered
    SimpleQueue, threading, asyncio, contextvars, warnings = SimpleQueue, threading, asyncio, contextvars, warnings

    def load(self, path, arguments, code):
        self.concurrency = int(arguments[2])
        self.wire, self.lock = self.Wire(self.host), self.threading.Lock()
        self.calls, self.under_way, self.requests, self.due = {}, 0, self.SimpleQueue(), self.SimpleQueue()
        self.unanswered, self.stray, self.ending, self.forked, self.outputs = None, False, False, False, []
        self.running = self.contextvars.ContextVar("call", default=None)
        self.put_streams()
        self.posix.register_at_fork(after_in_child=self.be_forked)
        super().load(path, arguments, code)
        self.loop = self.loop_of_program()
        self.context = self.contextvars.copy_context()
        self.workers = [self.start(self.work, "call-%d" % number) for number in range(1, self.concurrency + 1)]
        self.sender, self.looping = self.start(self.send_due, "sender"), self.start(self.run_loop, "loop")
        self.Answer.flush_streams(self)

    def put_streams(self):
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            stream = getattr(self.system, name)
            if stream is None:
                continue
            output = self.Output(descriptor, stream, self.running.get)
            form = {"encoding": stream.encoding, "errors": stream.errors, "newline": "\n"}
            text = self.Text(output, **form, line_buffering=True, write_through=True)
            text.mode = "w"
            self.outputs.append(output)
            setattr(self.system, name, text)
            setattr(self.system, "__%s__" % name, text)

    def loop_of_program(self):
        """The main thread's event loop: what the program began in it while it was loaded goes on in calls."""
        with self.warnings.catch_warnings():
            self.warnings.simplefilter("ignore")
            try:  # asyncio asks for the name of the module that asks it, and these functions have none
                loop = eval("get()", {"__name__": "handler", "get": self.asyncio.get_event_loop})
            except RuntimeError:
                loop = None
        return self.asyncio.new_event_loop() if loop is None or loop.is_closed() else loop

    def start(self, does, name):
        thread = self.threading.Thread(target=does, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            needed = self.concurrency, self.concurrency + 3, error
            raise SystemExit("runner: concurrency %d needs %d threads (%s); lower it or raise pids" % needed) from None
        return thread

    # The main thread.

    def answer_next(self):
        """Hands on what the host sends until it closes the stream, which is all of it."""
        while True:
            frame = self.host.frame()
            if frame is None:
                self.finish()
                return False
            kind, number, body = frame
            answer = self.calls.get(number)
            if kind == self.CREDIT:
                if answer is not None:
                    answer.grant(int.from_bytes(body, "little"))
                    if any(answer.collected.values()):
                        self.due.put(answer)
            elif kind == self.REQUEST and answer is None:
                self.begin(number, body)
            elif kind in (self.BODY, self.END) and answer is not None and answer.request is None:
                answer.arrived.append((kind, body))
                if kind == self.END:
                    answer.request = self.read_request(answer, self.fields(answer.asked))
                    self.requests.put(answer)
            else:
                raise SystemExit("runner: frame of type %#x of call %d where none is due" % (kind, number))

    def begin(self, number, body):
        with self.lock:
            if self.under_way == self.concurrency:
                raise SystemExit("runner: call %d is one more than %d at once" % (number, self.concurrency))
            if self.under_way == 0:
                self.armed_before = self.armed()
            self.under_way += 1
            self.calls[number] = self.SharedAnswer(self.wire, number, self.calls, body)

    def finish(self):
        """Lets calls come to their end that can."""
        for answer in list(self.calls.values()):
            answer.close()
            if answer.request is None:
                self.unanswered = self.host.CLOSED
        for thread in self.workers:
            self.requests.put(None)
        self.due.put(None)
        for thread in (*self.workers, self.sender):
            thread.join()
        self.host.close()
        self.ending = True
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
        self.looping.join()
        super().close_loop()
        if self.unanswered:
            raise SystemExit(self.unanswered)

    def close_loop(self):
        """Has been done where the stream was closed; elsewhere calls still run in it."""

    # The other threads.

    def work(self):
        while True:
            answer = self.requests.get()
            if answer is None:
                return
            try:
                self.context.copy().run(self.answer, answer)
            except BaseException as error:
                self.leave(error)
            del answer  # may hold much, and the next one may be long in coming

    def answer(self, answer):
        self.running.set(answer)
        try:
            try:
                result = self.function(answer.request)
                self.end_fork()
                if hasattr(type(result), "__await__"):
                    result = self.wait(result)
                self.respond(answer, result)
            except self.Unanswered:
                raise
            except BaseException as error:
                if self.forked:
                    raise
                answer.drain()
                self.report(error)
                line = self.line_of(error)
                if isinstance(error, (SystemExit, KeyboardInterrupt)):
                    answer.busy = True
                    line = line[: answer.MAX_MESSAGE - len(self.DOES_NOT_END)] + self.DOES_NOT_END
                self.settle(answer)
                answer.failed(line)
        except self.Unanswered as error:
            if self.forked:
                raise
            self.unanswered = str(error)

    def send_due(self):
        for answer in iter(self.due.get, None):
            answer.send_printed()

    def run_loop(self):
        self.asyncio.set_event_loop(self.loop)
        while not self.ending:
            try:
                self.loop.run_forever()
            except BaseException as error:  # what ends a program, raised outside of any call's own coroutine
                self.stray = True
                self.report(error)
            if self.loop.is_closed():
                return

    def wait(self, awaitable):
        self.end_fork()
        value, error = self.in_loop(self.outcome(awaitable))
        if error is not None:
            raise error
        return value

    def in_loop(self, coroutine):
        return self.asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    async def outcome(self, awaitable):
        value, error = await super().outcome(awaitable)
        if self.forked:
            try:
                self.end_fork()
            except SystemExit as ended:
                self.leave(ended if error is None else error)
        return value, error

    # What a call leaves.

    def settle(self, answer):
        """As where calls come one by one, but by the last one under way: all that are share the loop."""
        self.end_fork()
        cancelled = False
        while True:
            with self.lock:
                is_last = self.under_way == 1
                tasks = self.left() if is_last else ()
                if cancelled or not tasks:
                    answer.busy = answer.busy or is_last and self.goes_on(tasks)
                    self.under_way -= 1
                    return
            cancelled = self.in_loop(self.cancel_left())

    async def cancel_left(self):
        """A call that begins after the look here finds them cancelled: what it does in the loop comes later."""
        if self.under_way > 1:
            return False
        tasks = self.left() - {self.asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await self.asyncio.wait(tasks)
        return True

    def left(self):
        return set() if self.loop.is_closed() else self.asyncio.all_tasks(self.loop)

    def goes_on(self, tasks):
        """Whether something is due that would meet a later call."""
        scheduled = any(not due.cancelled() for due in getattr(self.loop, "_scheduled", ()))
        armed = any(now and not before for now, before in zip(self.armed(), self.armed_before))
        return bool(tasks) or scheduled or armed or self.stray or self.loop.is_closed()

    # Forks.

    def be_forked(self):
        """In the child of a fork, where other threads' locks are held for ever and nothing may be answered."""
        self.forked = True
        self.wire.renew()
        answer = self.running.get()
        if answer is not None:
            answer.renew()
            answer.closed = True
        for output in self.outputs:
            output.be_plain()

    def end_fork(self):
        """A fork that comes back from user code fails as it does where calls come one by one."""
        if self.forked:
            self.host.write(b"\0")

    def leave(self, error):
        """Ends the process from a thread that is not the main one, where what is raised ends the thread only."""
        code = 1
        try:
            for output in self.outputs:
                output.be_plain()
            if not isinstance(error, SystemExit):
                self.report(error)
            elif error.code is None or isinstance(error.code, int):
                code = error.code or 0
            else:
                self.system.stderr.write("%s\n" % (error.code,))
            self.Answer.flush_streams(self)
        finally:
            self.posix._exit(code & 255)
