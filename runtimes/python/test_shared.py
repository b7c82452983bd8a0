"""Looks at a program that answers several calls at once.

Run with: python3 runtimes/python/test_shared.py
"""

import json
import select
import socket
import textwrap
import unittest

from harness import ANSWER, ANSWER_END, BODY, BUSY, END, FAILED, HEAD, HELLO, LOADED, PIECE, PRINTED
from harness import Running, RunnerTestCase, call, code_of, credit, frame, head_of, number, request

PLENTY = 16 << 20
ENDS = ": a program that answers several calls at once does not end with one of them"


class Call:
    """What came of one call, by the rules of the protocol."""

    def __init__(self):
        self.status, self.body, self.pieces, self.failed = None, b"", 0, None
        self.printed, self.prints = {1: b"", 2: b""}, []
        self.busy = self.over = False
        self.granted = self.taken = 0

    def came(self, test, kind, sequence, body):
        test.assertFalse(self.over)
        if kind == HEAD:
            test.assertIsNone(self.status)
            self.status = head_of(body)[0]
        elif kind == ANSWER:
            test.assertEqual(sequence, self.pieces)
            test.assertTrue(0 < len(body) <= PIECE)
            self.pieces += 1
            self.body += body
            self.taken += len(body)
        elif kind == PRINTED:
            test.assertEqual(sequence, 0)
            test.assertTrue(1 < len(body) <= PIECE)
            self.printed[body[0]] += body[1:]
            self.prints.append(body[1:])
            self.taken += len(body) - 1
        elif kind == BUSY:
            test.assertFalse(self.busy)
            self.busy = True
        else:
            test.assertIn(kind, (ANSWER_END, FAILED))
            self.failed = body[4:].decode() if kind == FAILED else None
            self.over = True
        test.assertLessEqual(self.taken, self.granted)


class Sharing:
    """One runner that has been sent its program, and its host."""

    def __init__(self, test, text, concurrency=2, **options):
        arguments = ["handle", "stays", str(concurrency)]
        self.running = Running(test, call(code_of(text), arguments, contract="handler"), **options)
        self.test, self.socket, self.last, self.calls = test, self.running.socket, 7, {}
        test.assertEqual(self.exactly(len(HELLO)), HELLO)
        test.assertEqual(self.exactly(16), frame(LOADED))

    def exactly(self, length):
        data = b""
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            if not piece:
                raise AssertionError("the runner ended: %r" % (self.running.finish(),))
            data += piece
        return data

    def begin(self, path="/", body=b"", granted=PLENTY, **options):
        """Sends a request; its number."""
        number = self.expected()
        self.socket.sendall(request(number, body, path=path, **options))
        if granted:
            self.grant(number, granted)
        return number

    def expected(self):
        self.last += 1
        self.calls[self.last] = Call()
        return self.last

    def grant(self, number, length):
        self.calls[number].granted += length
        self.socket.sendall(credit(number, length))

    def step(self):
        header = self.exactly(16)
        body = self.exactly(int.from_bytes(header[:4], "little"))
        self.test.assertEqual(header[5:8], b"\0\0\0")
        came = self.calls[int.from_bytes(header[8:12], "little")]
        came.came(self.test, header[4], int.from_bytes(header[12:], "little"), body)

    def until(self, holds):
        while not holds():
            self.step()

    def answer(self, number):
        self.until(lambda: self.calls[number].over)
        return self.calls[number]

    def ask(self, path="/", **options):
        return self.answer(self.begin(path, **options))

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self.running.finish()


class SharedTest(RunnerTestCase):
    def share(self, text, *arguments, **options):
        return Sharing(self, text, *arguments, **options)

    # Calls that overlap.

    def test_two_calls_wait_for_each_other(self):
        text = """
            import os, threading
            there = {"a": threading.Event(), "b": threading.Event()}
            def handle(request):
                mine, other = ("a", "b") if request.path == "a" else ("b", "a")
                there[mine].set()
                return str(there[other].wait(30)) + request.get_text()
        """
        sharing = self.share(text)
        for _ in range(3):
            calls = sharing.begin("a", b"first"), sharing.begin("b", b"second")
            bodies = [sharing.answer(number).body for number in calls]
            self.assertEqual(bodies, [b"Truefirst", b"Truesecond"])
        self.assertEqual(sharing.end(), (0, "", ""))

    def test_asynchronous_calls_share_one_loop(self):
        text = """
            import asyncio
            lock, there, loops = asyncio.Lock(), {}, set()
            def event(name):
                return there.setdefault(name, asyncio.Event())
            async def handle(request):
                loops.add(asyncio.get_running_loop())
                event(request.path).set()
                async with lock:
                    await asyncio.sleep(0)
                await asyncio.wait_for(event("b" if request.path == "a" else "a").wait(), 30)
                if request.path == "a":
                    return {"loops": len(loops)}
                async def pieces():
                    for number in range(3):
                        await asyncio.sleep(0)
                        yield str(number)
                return pieces(), 201
        """
        sharing = self.share(text)
        for _ in range(2):
            first, second = sharing.begin("a"), sharing.begin("b")
            self.assertEqual(sharing.answer(first).body, b'{"loops": 1}')
            self.assertEqual((sharing.answer(second).status, sharing.calls[second].body), (201, b"012"))
        self.assertEqual([call.busy for call in sharing.calls.values()], [False] * 4)
        self.assertEqual(sharing.end(), (0, "", ""))

    def test_what_was_set_while_loading_holds_in_calls_and_theirs_stays_theirs(self):
        text = """
            import asyncio, decimal
            decimal.getcontext().prec = 3
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            async def now():
                return asyncio.get_running_loop()
            assert loop.run_until_complete(now()) is loop
            def handle(request):
                digits = str(decimal.Decimal(1) / 3)
                decimal.setcontext(decimal.Context(prec=5))
                return now_is(digits)
            async def now_is(digits):
                return [digits, asyncio.get_running_loop() is loop, str(decimal.Decimal(1) / 3)]
        """
        sharing = self.share(text)
        for _ in range(3):
            self.assertEqual(json.loads(sharing.ask().body), ["0.333", True, "0.33333"])

    def test_every_thread_is_there_before_the_first_call(self):
        text = """
            import os, threading
            async def nothing(): pass
            def handle(request):
                count = len(os.listdir("/proc/self/task"))
                return str(count) if request.path == "sync" else answered(count)
            async def answered(count):
                print(count)
                yield str(count)
        """
        sharing = self.share(text, 3)
        for path in ("sync", "async", "sync", "async"):
            self.assertEqual(sharing.ask(path).body, b"6")

    def test_requests_may_come_interleaved(self):
        sharing = self.share("def handle(request): return request.path + request.get_text()", 3)
        frames = []
        for path in ("a", "b", "c"):
            body = path.encode() * 3000
            taken = request(sharing.expected(), body, path=path, piece=1000)
            head = int.from_bytes(taken[:4], "little") + 16
            frames.append([taken[:head]] + [taken[head + at * 1016 :][:1016] for at in range(3)] + [taken[-16:]])
        for round in zip(*frames):
            sharing.socket.sendall(b"".join(round))
        for number, path in ((10, b"c"), (8, b"a"), (9, b"b")):
            sharing.grant(number, PLENTY)
            self.assertEqual(sharing.answer(number).body, path + path * 3000)
        self.assertEqual(sharing.end(), (0, "", ""))

    def test_who_has_no_credit_holds_up_nobody(self):
        text = """
            import logging
            logging.basicConfig(level="INFO", format="%(message)s")
            async def stream():
                yield "x" * 100
            def handle(request):
                if request.path == "async":
                    return stream()
                logging.info("logged " + request.path)
                return request.path * 10
        """
        sharing = self.share(text, 3)
        poor, waits = sharing.begin("poor", granted=3), sharing.begin("async", granted=0)
        sharing.until(lambda: sharing.calls[poor].taken == 3 and sharing.calls[waits].status)
        for _ in range(3):
            rich = sharing.ask("rich")
            self.assertEqual((rich.body, rich.printed[2]), (b"rich" * 10, b"logged rich\n"))
        for _ in range(9):
            sharing.grant(poor, 6)
        sharing.grant(waits, 1)
        sharing.grant(waits, 99)
        self.assertEqual((sharing.answer(poor).body, sharing.calls[poor].printed[2]), (b"poor" * 10, b"logged poor\n"))
        self.assertEqual(sharing.answer(waits).body, b"x" * 100)
        sharing.socket.sendall(credit(poor, 5))  # on its way when the answer ended
        self.assertEqual(sharing.ask("again").status, 200)
        self.assertEqual(sharing.end(), (0, "", ""))

    def test_streams_are_sent_as_they_are_produced(self):
        text = """
            import asyncio, queue
            go = {"sync": queue.Queue(), "async": asyncio.Queue()}
            def handle(request):
                if request.path == "go":
                    go["sync"].put(1)
                    go["loop"].call_soon_threadsafe(go["async"].put_nowait, 1)
                    return
                return plain() if request.path == "sync" else asynchronous()
            def plain():
                for number in range(3):
                    yield str(number)
                    go["sync"].get(timeout=30)
            async def asynchronous():
                go["loop"] = asyncio.get_running_loop()
                for number in range(3):
                    yield str(number)
                    await asyncio.wait_for(go["async"].get(), 30)
        """
        sharing = self.share(text, 3)
        streams = [sharing.begin("sync"), sharing.begin("async")]
        for expected in (b"0", b"01", b"012"):
            sharing.until(lambda: all(sharing.calls[number].body == expected for number in streams))
            self.assertFalse(any(sharing.calls[number].over for number in streams))
            sharing.ask("go")
        for number in streams:
            self.assertIsNone(sharing.answer(number).failed)
        self.assertEqual(sharing.end(), (0, "", ""))

    # What is printed.

    def test_prints_go_to_their_own_call(self):
        text = """
            import asyncio, sys, threading
            print("loading")
            print("loaded", file=sys.stderr)
            turns = {name: threading.Semaphore(0) for name in "ab"}
            def handle(request):
                if request.path.startswith("async"):
                    return asynchronous(request.path)
                mine, other = request.path, "b" if request.path == "a" else "a"
                for number in range(3):
                    turns[other].release()
                    turns[mine].acquire(timeout=30)
                    print(mine, number, end=";")
                    sys.stderr.write(mine)
                thread = threading.Thread(target=sys.stdout.write, args=("thread %s\\n" % mine,))
                thread.start()
                thread.join()
            async def asynchronous(name):
                async def inner():
                    await asyncio.sleep(0)
                    print("task of", name)
                for number in range(3):
                    print(name, end="")
                    await asyncio.sleep(0)
                print()
                await asyncio.ensure_future(inner())
                await asyncio.get_running_loop().run_in_executor(None, sys.stdout.write, "executor\\n")
                await asyncio.to_thread(print, "to thread")
        """
        sharing = self.share(text, 4)
        names = ("a", "b", "async1", "async2")
        numbers = [sharing.begin(name) for name in names]
        for name, number in zip(names[:2], numbers):
            expected = "".join("%s %d;" % (name, at) for at in range(3)).encode()
            self.assertEqual(sharing.answer(number).printed, {1: expected, 2: name.encode() * 3})
        for name, number in zip(names[2:], numbers[2:]):
            expected = "%s\ntask of %s\nto thread\n" % (name * 3, name)
            self.assertEqual(sharing.answer(number).printed, {1: expected.encode(), 2: b""})
        code, out, err = sharing.end()
        self.assertEqual((code, err), (0, "loaded\n"))
        self.assertEqual(sorted(out.splitlines()), ["executor"] * 2 + ["loading", "thread a", "thread b"])

    def test_what_goes_on_after_its_call_prints_to_the_descriptors(self):
        text = """
            import asyncio
            go, task = asyncio.Event(), None
            async def background():
                print("its call's")
                await asyncio.wait_for(go.wait(), 30)
                print("nobody's")
            async def handle(request):
                global task
                if request.path == "begin":
                    task = asyncio.ensure_future(background())
                    await asyncio.sleep(0)
                if request.path == "wait":
                    await asyncio.wait_for(go.wait(), 30)
                if request.path == "go":
                    go.set()
                    await task
        """
        sharing = self.share(text, 3)
        waits, begins = sharing.begin("wait"), sharing.begin("begin")
        self.assertEqual(sharing.answer(begins).printed, {1: b"its call's\n", 2: b""})
        for number in (sharing.begin("go"), waits):
            self.assertEqual((sharing.answer(number).printed, sharing.calls[number].failed), ({1: b"", 2: b""}, None))
        self.assertEqual(sharing.end(), (0, "nobody's\n", ""))

    def test_a_line_is_seen_while_the_call_runs(self):
        text = """
            import asyncio, sys, threading
            go = threading.Event()
            def handle(request):
                if request.path == "go":
                    go.set()
                    return
                if request.path == "async":
                    return asynchronous()
                print("a line")
                go.wait(30)
            async def asynchronous():
                print("a part", end="", flush=True)
                while not go.is_set():
                    await asyncio.sleep(0)
        """
        sharing = self.share(text, 3)
        first, second = sharing.begin("sync"), sharing.begin("async", granted=0)
        sharing.until(lambda: sharing.calls[first].printed[1] == b"a line\n")
        for part in (b"a", b"a part"):
            sharing.grant(second, len(part) - sharing.calls[second].granted)
            sharing.until(lambda: sharing.calls[second].printed[1] == part)
        self.assertFalse(sharing.calls[first].over or sharing.calls[second].over)
        sharing.ask("go")
        for number in (first, second):
            sharing.grant(number, 100)
            self.assertIsNone(sharing.answer(number).failed)
        self.assertEqual(sharing.end(), (0, "", ""))

    def test_prints_without_a_newline_are_collected(self):
        text = """
            def handle(request):
                yield "credit has come"
                for _ in range(1000):
                    print("x" * 10, end="")
        """
        answer = self.share(text).ask()
        self.assertEqual(answer.printed[1], b"x" * 10000)
        self.assertEqual(len(answer.prints), 2)

    def test_much_is_printed_under_credit(self):
        text = """
            async def asynchronous():
                for number in range(40):
                    print(chr(97 + number % 26) * 49999)
                return "done"
            def handle(request):
                if request.path == "async":
                    return asynchronous()
                for number in range(40):
                    print(chr(97 + number % 26) * 49999)
                return "done"
        """
        sharing = self.share(text)
        expected = b"".join(bytes([97 + at % 26]) * 49999 + b"\n" for at in range(40))
        for path in ("sync", "async"):
            number = sharing.begin(path, granted=1000)
            came = sharing.calls[number]
            while not came.over:
                if came.taken == came.granted:
                    sharing.grant(number, 50_000)
                sharing.step()
            self.assertEqual((came.body, came.printed[1]), (b"done", expected))
        self.assertEqual(sharing.end(), (0, "", ""))

    def test_what_a_call_holds_unsent_is_bounded(self):
        text = """
            import asyncio, threading
            done, counts = threading.Event(), {"sync": 0, "async": 0}
            def line(name):
                print("y" * 99_999)
                counts[name] += 1
            async def asynchronous():
                try:
                    for _ in range(100):
                        line("async")
                        await asyncio.sleep(0)
                finally:
                    done.set()
            def handle(request):
                if request.path == "wait":
                    return [done.wait(30), counts]
                if request.path == "async":
                    return asynchronous()
                try:
                    for _ in range(100):
                        line("sync")
                finally:
                    done.set()
        """
        for path in ("sync", "async"):
            with self.subTest(path):
                sharing = self.share(text)
                holds = sharing.begin(path, granted=0)
                waited, counts = json.loads(sharing.ask("wait").body)
                self.assertEqual((waited, counts[path]), (True, 10))
                sharing.grant(holds, PLENTY)
                answer = sharing.answer(holds)
                self.assertEqual((answer.printed[1], answer.status), (((b"y" * 99_999 + b"\n") * 11)[:-1], None))
                self.assertTrue(answer.failed.startswith("BlockingIOError: [Errno 11] this call printed 1 MiB"))
                self.assertIn(b'line 4, in line\n    print("y" * 99_999)\n', answer.printed[2])
                self.assertEqual(sharing.end(), (0, "", ""))

    def test_who_logs_without_credit_holds_the_logger_for_a_second_in_all(self):
        text = """
            import logging, threading
            logging.basicConfig(level="INFO", format="%(message)s")
            full = threading.Event()
            def handle(request):
                if request.path == "wait":
                    there = full.wait(15)
                    logging.info("mine")
                    return str(there)
                for _ in range(40):
                    logging.info("y" * 100_000)
                full.set()
        """
        sharing = self.share(text)
        poor = sharing.begin("poor", granted=0)
        answer = sharing.ask("wait")
        self.assertEqual((answer.body, answer.printed[2]), (b"True", b"mine\n"))
        sharing.grant(poor, PLENTY)
        self.assertIsNone(sharing.answer(poor).failed)
        self.assertEqual(sharing.end(), (0, "", ""))

    def test_a_stream_prints_no_further_ahead_of_its_reader(self):
        text = """
            count = 0
            def handle(request):
                return count if request.path == "count" else stream()
            def stream():
                global count
                for _ in range(60):
                    count += 1
                    print("p" * 49_999)
                    yield "b" * (count % 4 == 0)
        """
        sharing = self.share(text)
        number = sharing.begin(granted=10)
        came = sharing.calls[number]
        sharing.until(lambda: came.status)
        for _ in range(20):
            self.assertEqual(sharing.ask("count").body, b"1")
        sharing.grant(number, PLENTY)
        sharing.answer(number)
        self.assertEqual((came.failed, came.body, len(came.printed[1])), (None, b"b" * 15, 3_000_000))

    def test_the_streams_are_as_ever(self):
        text = """
            import array, io, json, subprocess, sys
            def handle(request):
                if request.path == "bytes":
                    sys.stdout.buffer.write(b"\\xff\\n")
                    sys.stdout.buffer.write(memoryview(b"abcd")[::2])
                    sys.stdout.buffer.write(array.array("H", [0x4141]))
                    sys.stdout.buffer.flush()
                    sys.stdout.writelines(["1", "2"])
                elif request.path == "text":
                    print("\\u00e4\\u20ac\\udcff")
                    print("\\ud800", file=sys.stderr)
                elif request.path == "odd":
                    for odd in ("text", 5, None):
                        try:
                            sys.stdout.buffer.write(odd)
                        except TypeError as error:
                            print(odd)
                    print("\\ud800")
                elif request.path == "forms":
                    out = sys.stdout
                    return [out.encoding, out.errors, out.line_buffering, out.fileno(), out.isatty(), out.name,
                            out.mode, out.writable(), out.readable(), out.closed, sys.stderr.errors,
                            sys.stderr.fileno(), sys.__stdout__ is out]
                elif request.path == "set":
                    sys.stdout.reconfigure(line_buffering=False, write_through=False)
                    print("kept")
                elif request.path == "closed":
                    sys.stdout.close()
                elif request.path == "child":
                    subprocess.run(["/usr/bin/echo", "child"], stdout=sys.stdout, check=True)
                elif request.path == "wrap":
                    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="latin-1")
                    print("\\u00e4")
                elif request.path == "replace":
                    sys.stdout = io.StringIO()
                    sys.stderr = None
                elif request.path == "restore":
                    print("lost")
                    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
                    print("seen")
                else:
                    print("still")
        """
        sharing = self.share(text)
        for path, expected in [
            ("bytes", (b"\xff\nacAA12", b"")),
            ("text", ("\u00e4\u20ac".encode() + b"\xff\n", b"\\ud800\n")),
            ("set", (b"kept\n", b"")),
            ("closed", (b"", b"")),
            ("plain", (b"still\n", b"")),
            ("child", (b"", b"")),
            ("wrap", (b"\xe4\n", b"")),
            ("plain", (b"still\n", b"")),
            ("replace", (b"", b"")),
            ("restore", (b"seen\n", b"")),
            ("plain", (b"still\n", b"")),
        ]:
            with self.subTest(path):
                answer = sharing.ask(path)
                self.assertEqual(((answer.printed[1], answer.printed[2]), answer.failed), (expected, None))
        self.assertEqual(sharing.end(), (0, "child\n", ""))
        odd = self.share(text).ask("odd")
        self.assertTrue(odd.failed.startswith("UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800'"))
        self.assertEqual(odd.printed[1], b"text\n5\nNone\n")
        forms = ["utf-8", "surrogateescape", True, 1, False, "<stdout>", "w", True, False, False]
        self.assertEqual(json.loads(self.share(text).ask("forms").body), forms + ["backslashreplace", 2, True])

    def test_what_runs_below_a_print_may_print(self):
        # As a finaliser does, but at every call and return of the runner's own functions.
        text = """
            import itertools, sys
            turns = itertools.count()
            def below(frame, event, argument):
                print("below", end="" if next(turns) % 3 else None)
            def handle(request):
                sys.setprofile(below)
                for number in range(100):
                    print(number)
                    yield str(number % 10)
                sys.setprofile(None)
        """
        sharing = self.share(text)
        for number in (sharing.begin(), sharing.begin()):
            answer = sharing.answer(number)
            self.assertEqual(answer.body, b"0123456789" * 10)
            printed = answer.printed[1].replace(b"below", b"")
            self.assertEqual(printed.split(), [b"%d" % number for number in range(100)])
            self.assertGreater(answer.printed[1].count(b"below"), 1000)
        self.assertEqual(sharing.end(), (0, "", ""))

    # What goes wrong.

    def test_what_is_raised_fails_its_own_call(self):
        text = """
            import asyncio, threading
            raised = threading.Event()
            def handle(request):
                if request.path == "wait":
                    return str(raised.wait(30))
                if request.path == "later":
                    return asynchronous()
                try:
                    raise ValueError("mine")
                finally:
                    raised.set()
            async def asynchronous():
                await asyncio.sleep(0)
                raise KeyError("async")
        """
        sharing = self.share(text)
        waits, raises = sharing.begin("wait"), sharing.begin("raise")
        answer = sharing.answer(raises)
        self.assertEqual((answer.failed, answer.status, answer.busy), ("ValueError: mine", None, False))
        expected = """
            Traceback (most recent call last):
              File "/code/main.py", line 9, in handle
                raise ValueError("mine")
            ValueError: mine
        """
        self.assertEqual(answer.printed, {1: b"", 2: textwrap.dedent(expected).lstrip().encode()})
        self.assertEqual((sharing.answer(waits).body, sharing.calls[waits].printed[2]), (b"True", b""))
        later = sharing.ask("later")
        self.assertEqual(later.failed, "KeyError: 'async'")
        lines = [line for line in later.printed[2].decode().splitlines() if "File" in line]
        self.assertEqual(lines, ['  File "/code/main.py", line 14, in asynchronous'])
        self.assertEqual(sharing.end(), (0, "", ""))

    def test_a_program_does_not_end_with_one_of_its_calls(self):
        text = """
            import sys, threading
            go = threading.Event()
            def handle(request):
                if request.path == "wait":
                    return str(go.wait(30))
                if request.path == "go":
                    go.set()
                if request.path == "exit":
                    sys.exit(3)
                if request.path == "reason":
                    sys.exit("r" * 2000)
                if request.path == "async":
                    return asynchronous()
                if request.path == "stream":
                    return stream()
                if request.path == "interrupt":
                    raise KeyboardInterrupt
            async def asynchronous():
                sys.exit()
            def stream():
                yield "one"
                exit(4)
        """
        sharing = self.share(text)
        waits = sharing.begin("wait")
        for path, line in [
            ("exit", "SystemExit: 3" + ENDS),
            ("async", "SystemExit" + ENDS),
            ("stream", "SystemExit: 4" + ENDS),
            ("interrupt", "KeyboardInterrupt" + ENDS),
            ("reason", "SystemExit: " + "r" * (1000 - len("SystemExit: " + ENDS)) + ENDS),
        ]:
            with self.subTest(path):
                answer = sharing.ask(path)
                self.assertEqual((answer.failed, answer.busy), (line, True))
                self.assertIn(b", line ", answer.printed[2])
        sharing.ask("go")
        self.assertEqual((sharing.answer(waits).body, sharing.calls[waits].busy), (b"True", False))
        self.assertEqual(sharing.end(), (0, "", ""))
        ends = "import os\ndef handle(request): os._exit(9)"
        sharing = self.share(ends)
        sharing.begin()
        self.assertEqual(sharing.socket.recv(1), b"")
        self.assertEqual(sharing.running.finish(), (9, "", ""))

    def test_what_the_last_call_leaves_in_the_loop_ends_with_it(self):
        text = """
            import asyncio
            go, kept = asyncio.Event(), []
            async def forever(name):
                try:
                    await asyncio.Event().wait()
                finally:
                    print("cancelled", name)
            async def handle(request):
                if request.path == "wait":
                    await asyncio.wait_for(go.wait(), 30)
                elif request.path == "go":
                    go.set()
                else:
                    kept.append(asyncio.ensure_future(forever(request.path)))
                    await asyncio.sleep(0)
                return [task.done() for task in kept]
        """
        sharing = self.share(text)
        alone = sharing.ask("alone")
        self.assertEqual((alone.body, alone.printed[1], alone.busy), (b"[false]", b"cancelled alone\n", False))
        waits = sharing.begin("wait")
        left = sharing.ask("left")
        self.assertEqual((left.body, left.printed[1], left.busy), (b"[true, false]", b"", False))
        self.assertEqual(sharing.ask("go").body, b"[true, false]")
        waited = sharing.answer(waits)
        self.assertEqual((waited.body, waited.printed[1], waited.busy), (b"[true, false]", b"", False))
        self.assertEqual(sharing.ask("go").body, b"[true, true]")
        self.assertEqual(sharing.end(), (0, "cancelled left\n", ""))

    def test_what_a_call_leaves_is_kept_for_one_that_begins_meanwhile(self):
        text = """
            import asyncio, os, threading
            begun, found, go, all_tasks = threading.Event(), threading.Event(), asyncio.Event(), asyncio.all_tasks
            def looked(*arguments):
                tasks = all_tasks(*arguments)
                if not found.is_set():
                    found.set()
                    os.write(1, b"found")
                return tasks
            asyncio.all_tasks = looked
            async def wait_and_say():
                await asyncio.wait_for(go.wait(), 30)
                return "kept"
            async def leave():
                global task
                task = asyncio.ensure_future(wait_and_say())
                await asyncio.sleep(0)
                asyncio.get_running_loop().call_later(0, begun.wait, 30)
            async def use():
                go.set()
                return await task
            def handle(request):
                if request.path == "leave":
                    return leave()
                begun.set()
                return use()
        """
        sharing = self.share(text)
        leaves = sharing.begin("leave")
        self.assertEqual(sharing.running.read(5), b"found")
        used = sharing.ask("use")
        self.assertEqual((used.body, used.failed), (b"kept", None))
        self.assertIsNone(sharing.answer(leaves).failed)
        self.assertEqual(sharing.end(), (0, "", ""))

    def test_a_call_says_busy_once_whatever_its_streams_raise(self):
        text = """
            import io, signal, sys
            class Ends(io.StringIO):
                def flush(self):
                    raise SystemExit(3)
            def handle(request):
                if request.path == "ends":
                    signal.setitimer(signal.ITIMER_REAL, 1000)
                    sys.stdout = Ends()
                else:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    sys.stdout = sys.__stdout__
        """
        sharing = self.share(text)
        ends = sharing.ask("ends")
        self.assertEqual((ends.failed, ends.status, ends.busy), (None, 200, True))
        self.assertFalse(sharing.ask("other").busy)
        self.assertEqual(sharing.end(), (0, "", ""))

    def test_busy_is_said_by_the_last_call_only(self):
        text = """
            import asyncio, signal, threading
            started, go = threading.Event(), threading.Event()
            async def later():
                asyncio.get_running_loop().call_later(1000, print, "late")
            def handle(request):
                if request.path == "timer":
                    signal.setitimer(signal.ITIMER_REAL, 1000)
                if request.path == "later":
                    return later()
                if request.path == "wait":
                    started.set()
                    go.wait(30)
                if request.path == "go":
                    started.wait(30)
                    go.set()
                if request.path == "raise":
                    signal.setitimer(signal.ITIMER_VIRTUAL, 1000)
                    raise ValueError("mine")
        """
        for path in ("timer", "later"):
            with self.subTest(path):
                sharing = self.share(text)
                self.assertFalse(sharing.ask("plain").busy)
                waits = sharing.begin("wait")
                self.assertFalse(sharing.ask(path).busy)
                sharing.begin("go")
                busy = [sharing.answer(number).busy for number in (waits, sharing.last)]
                self.assertEqual(sorted(busy), [False, True])
                # A timer that ran before a call is nothing that the call left.
                self.assertEqual(sharing.ask("plain").busy, path == "later")
                self.assertTrue(sharing.ask("raise").busy)
                self.assertEqual(sharing.end()[0], 0)

    def test_what_ends_the_loop_ends_no_other_call(self):
        text = """
            import asyncio, sys
            async def handle(request):
                loop = asyncio.get_running_loop()
                if request.path == "exit":
                    loop.call_soon(sys.exit, 5)
                if request.path == "stop":
                    loop.stop()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                return request.path
        """
        sharing = self.share(text)
        for path, busy in [("stop", False), ("plain", False), ("exit", True), ("plain", True)]:
            answer = sharing.ask(path)
            self.assertEqual((answer.body, answer.busy), (path.encode(), busy))
        code, out, err = sharing.end()
        self.assertEqual((code, out), (0, ""))
        self.assertIn("SystemExit: 5", err)

    def test_a_fork_has_no_call(self):
        text = """
            import os, sys
            def status(child):
                return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            def handle(request):
                if request.path == "async":
                    return asynchronous()
                if request.path == "stream":
                    return stream()
                print("before", end=" ")
                child = os.fork()
                if child == 0:
                    print("child of", request.path)
                    if request.path == "exit":
                        sys.exit(5)
                    if request.path == "raise":
                        raise ValueError("mine")
                    return "the child"
                return status(child)
            async def asynchronous():
                child = os.fork()
                return "the child" if child == 0 else status(child)
            def stream():
                child = os.fork()
                for _ in range(3):
                    yield "the child" if child == 0 else status(child) if child > 0 else ""
                    child = child and -1
        """
        sharing = self.share(text)
        paths = [("return", b"1"), ("exit", b"5"), ("raise", b"1"), ("async", b"1"), ("stream", b"1")]
        for _ in range(3):
            for path, body in paths:
                numbers = sharing.begin(path), sharing.begin(path)
                for number in numbers:
                    self.assertEqual(sharing.answer(number).body, body, path)
                    printed = b"" if path in ("async", "stream") else b"before "
                    self.assertEqual(sharing.calls[number].printed, {1: printed, 2: b""})
        code, out, err = sharing.end()
        self.assertEqual(code, 0)
        self.assertEqual(sorted(out.splitlines()), sorted("child of " + path for path, _ in paths[:3] for _ in range(6)))
        self.assertEqual(err.count("runner: writing to the host failed: [Errno 9] Bad file descriptor\n"), 18)
        self.assertEqual(err.count("ValueError: mine"), 6)
        self.assertNotIn("/opt/faas", err)

    # Its end.

    def test_a_host_may_close_while_calls_are_under_way(self):
        text = """
            import asyncio, atexit, threading
            go = threading.Event()
            atexit.register(print, "at exit")
            def handle(request):
                print(request.path)
                if request.path == "wait":
                    return str(go.wait(30))
                go.set()
                return sleeping()
            async def sleeping():
                await asyncio.sleep(0)
                return "slept"
        """
        sharing = self.share(text)
        waits, sleeps = sharing.begin("wait"), sharing.begin("async")
        sharing.socket.shutdown(socket.SHUT_WR)
        self.assertEqual((sharing.answer(waits).body, sharing.answer(sleeps).body), (b"True", b"slept"))
        self.assertEqual(sharing.running.finish(), (0, "at exit\n", ""))
        sharing = self.share("def handle(request):\n  try:\n    yield 'x'\n  finally:\n    print('closed')")
        number = sharing.begin(granted=0)
        sharing.until(lambda: sharing.calls[number].status)
        code, out, err = sharing.end()
        self.assertEqual((code, out, err), (1, "", "runner: the host closed the call socket\n"))

    def test_a_host_that_goes_away_ends_it(self):
        text = """
            import itertools
            def handle(request):
                print("begun")
                for _ in itertools.count():
                    yield b"x" * 100000
        """
        sharing = self.share(text)
        first, second = sharing.begin(granted=1 << 30), sharing.begin(granted=1 << 30)
        sharing.until(lambda: sharing.calls[first].body and sharing.calls[second].body)
        sharing.socket.close()
        code, out, err = sharing.running.finish()
        self.assertEqual((code, out), (1, ""))
        self.assertTrue(err.startswith("runner: ") and err.count("\n") == 1, err)

    def test_a_program_that_cannot_be_loaded_ends_as_ever(self):
        for text, expected in [
            ("import sys; print('out'); sys.exit(3)", (3, "out\n", "")),
            ("other = 1", (1, "", "/code/main.py has no function 'handle'; define it there")),
            ("raise ValueError('mine')", (1, "", "Traceback (most recent call last):\n  File \"/code/main.py\"")),
        ]:
            with self.subTest(text):
                frames = call(text.encode(), ["handle", "stays", "2"], contract="handler")
                code, out, err = Running(self, frames).finish()
                self.assertEqual((code, out), expected[:2])
                self.assertTrue(err.startswith(expected[2]), err)
                self.assertNotIn("/opt/faas", err)

    def test_a_host_that_breaks_the_protocol_ends_it(self):
        begin = call(b"def handle(request): return 'x'", ["handle", "stays", "2"], contract="handler")
        for frames, reason in [
            (frame(END, call=9), "frame of type 0x32 of call 9 where none is due"),
            (frame(BODY, b"x", call=9), "frame of type 0x31 of call 9 where none is due"),
            (request(8)[:-16] + request(8), "frame of type 0x34 of call 8 where none is due"),
            (request(8)[:-16] + request(9)[:-16] + request(10), "call 10 is one more than 2 at once"),
            (request(8, b"abc", announced=4), "a body of 3 bytes came, 4 were announced"),
            (request(8, b"abc")[:-16], "the host closed the call socket"),
            (request(8)[:20], "the host closed the call socket"),
        ]:
            with self.subTest(reason):
                running = Running(self, begin + frames)
                running.socket.shutdown(socket.SHUT_WR)
                code, out, err = running.finish()
                self.assertEqual((code, out, err), (1, "", "runner: %s\n" % reason))

    def test_its_names_do_not_leak(self):
        text = """
            import sys
            def handle(request):
                frame, seen = sys._getframe(), {}
                while frame.f_back is not None:
                    frame = frame.f_back
                    if not frame.f_code.co_filename.endswith("threading.py"):
                        seen.update(frame.f_globals)
                import __main__
                return [sorted(seen), [name for name in sys.modules if name in ("handler", "runner", "shared")]]
        """
        self.assertEqual(json.loads(self.share(text).ask().body), [["__builtins__"], []])

    def test_many_calls_at_once(self):
        text = """
            import asyncio, threading
            barrier = threading.Barrier(20)
            async def asynchronous(path):
                await asyncio.sleep(0)
                print(path)
                return path
            def handle(request):
                barrier.wait(30)
                print(request.path)
                return asynchronous(request.path) if int(request.path) % 2 else request.path
        """
        sharing = self.share(text, 20)
        for _ in range(10):
            numbers = [sharing.begin(str(at)) for at in range(20)]
            for at, number in enumerate(numbers):
                answer = sharing.answer(number)
                expected = (b"%d" % at, b"%d\n" % at * (1 + at % 2), False)
                self.assertEqual((answer.body, answer.printed[1], answer.busy), expected)
        self.assertEqual(sharing.end(), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
