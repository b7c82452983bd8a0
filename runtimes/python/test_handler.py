"""Looks at what a handler is given, and at what the host gets from it.

Run with: python3 runtimes/python/test_handler.py
"""

import collections
import hashlib
import json
import select
import socket
import textwrap
import unittest

from harness import ANSWER, ANSWER_END, BEGIN, BOUND, BUSY, FAILED, HEAD, HELLO, LOADED, PIECE, REQUEST
from harness import Running, RunnerTestCase, call, code_of, credit, frame, head_of, number, request

JSON, TEXT, BYTES = b"application/json", b"text/plain; charset=utf-8", b"application/octet-stream"

Answer = collections.namedtuple("Answer", "status headers body failed")


class Serving:
    """One runner that has been sent its program, and its host."""

    def __init__(self, test, text, entry="handle", name="main.py", then=b"", variables=(), **options):
        code = text if isinstance(text, bytes) else code_of(text)
        frames = call(code, [entry], name=name, contract="handler", env=variables) + then
        self.running = Running(test, frames, **options)
        self.test, self.socket, self.last, self.loaded = test, self.running.socket, 7, False
        test.assertEqual(self.exactly(len(HELLO)), HELLO)

    def exactly(self, length):
        data = b""
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            if not piece:
                raise AssertionError("the runner ended: %r" % (self.running.finish(),))
            data += piece
        return data

    def request(self, body=b"", credit_bytes=16 << 20, **options):
        self.last += 1
        frames = request(self.last, body, **options)
        if credit_bytes:
            frames += credit(self.last, credit_bytes)
        self.socket.sendall(frames)

    def frame(self):
        if not self.loaded:
            self.test.assertEqual(self.exactly(16), frame(LOADED))
            self.loaded = True
        header = self.exactly(16)
        length = int.from_bytes(header[:4], "little")
        self.test.assertEqual(header[5:8] + header[8:12], b"\0\0\0" + number(self.last, 4))
        return header[4], int.from_bytes(header[12:], "little"), self.exactly(length)

    def head(self):
        kind, _, body = self.frame()
        self.test.assertEqual(kind, HEAD, body)
        return head_of(body)

    def answer(self):
        status, headers, pieces, self.busy = None, [], [], False
        while True:
            kind, sequence, body = self.frame()
            if kind == HEAD:
                self.test.assertIsNone(status)
                status, headers = head_of(body)
            elif kind == ANSWER:
                self.test.assertEqual(sequence, len(pieces))
                self.test.assertTrue(0 < len(body) <= PIECE)
                pieces.append(body)
            elif kind == BUSY:
                self.test.assertEqual((body, self.busy), (b"", False))
                self.busy = True
            elif kind == FAILED:
                self.test.assertEqual(int.from_bytes(body[:4], "little"), len(body) - 4)
                return Answer(status, headers, b"".join(pieces), body[4:].decode())
            else:
                self.test.assertEqual((kind, body), (ANSWER_END, b""))
                return Answer(status, headers, b"".join(pieces), None)

    def ask(self, body=b"", **options):
        self.request(body, **options)
        return self.answer()

    def end(self):
        """Closes the stream. Gives (exit code, stdout, stderr)."""
        self.socket.shutdown(socket.SHUT_WR)
        return self.running.finish()


class HandlerTest(RunnerTestCase):
    def serve(self, text, **options):
        return Serving(self, text, **options)

    def ask(self, text, body=b"", **options):
        """One request to one program that must answer and then end well."""
        serving = self.serve(text)
        answer = serving.ask(body, **options)
        self.assertEqual(serving.end(), (0, "", ""))
        return answer

    def json(self, text, body=b"", **options):
        answer = self.ask(text, body, **options)
        self.assertEqual((answer.status, answer.headers), (200, [(b"content-type", JSON)]))
        return json.loads(answer.body)

    # What a handler is given.

    def test_the_request_has_every_member(self):
        text = """
            def handle(request):
                return [request.method, request.path, request.query_string, request.query_params,
                        request.headers, list(request.body), request.get_text(), request.get_json(),
                        request.json, request.get_header("X-Some"), request.get_header("none"),
                        request.get_header("none", 5), repr(request)]
        """
        headers = [("x-some", b"thing"), ("content-type", b"application/json")]
        query = "a=1&b=&a=%C3%A4+b%2&c&&=d"
        expected = ["POST", "/a%2Fb/%zz", query, {"a": "\u00e4 b%2", "b": "", "c": "", "": "d"}]
        expected += [{"x-some": "thing", "content-type": "application/json"}, [91, 49, 93], "[1]", [1], [1]]
        expected += ["thing", None, 5, "<Request POST /a%2Fb/%zz>"]
        given = {"method": "POST", "path": "/a%2Fb/%zz", "query": query, "headers": headers}
        self.assertEqual(self.json(text, b"[1]", **given), expected)

    def test_header_names_have_no_case(self):
        text = """
            def handle(request):
                headers = request.headers
                return [headers["X-MANY"], headers["cookie"], headers.get("LATIN"), "X-Many" in headers,
                        "other" in headers, headers.get("other", 1), sorted(headers), dict(headers)["latin"]]
        """
        headers = [("X-Many", b"1"), ("x-many", b"2"), ("Cookie", b"a=1"), ("cookie", b"b=2"), ("Latin", b"\xe4")]
        expected = ["1, 2", "a=1; b=2", "\u00e4", True, False, 1, ["cookie", "latin", "x-many"], "\u00e4"]
        self.assertEqual(self.json(text, headers=headers), expected)

    def test_a_body_that_is_not_what_was_asked_for_names_the_place(self):
        serving = self.serve("def handle(request): return getattr(request, request.get_header('get'))()")
        ask = lambda body, how: serving.ask(body, headers=[("get", how)]).failed
        place = "ValueError: the request's body is not JSON: Expecting value: line 2 column 3 (char 6)"
        self.assertEqual(ask(b"[1,\n  nope]", b"get_json"), place)
        self.assertIn("Expecting value: line 1 column 1 (char 0)", ask(b"", b"get_json"))
        self.assertIn("is not JSON: 'utf-8' codec can't decode byte 0xff in position 1", ask(b"1\xff", b"get_json"))
        self.assertIn("UnicodeDecodeError: 'utf-8' codec", ask(b"ab\xff", b"get_text"))
        code, _, err = serving.end()
        self.assertEqual(code, 0)
        self.assertIn("ValueError: the request's body is not JSON", err)
        self.assertNotIn("/opt/faas", err)

    def test_the_body_comes_in_pieces(self):
        body = bytes(range(256)) * 2000
        text = "import hashlib\ndef handle(request): return hashlib.sha256(request.body).hexdigest()"
        serving = self.serve(text)
        for piece in (PIECE, 1000):
            answer = serving.ask(body, piece=piece)
            self.assertEqual(answer.body.decode(), hashlib.sha256(body).hexdigest())
        self.assertEqual(serving.ask(b"").body.decode(), hashlib.sha256(b"").hexdigest())

    # What it may give.

    def test_results_become_bodies(self):
        values = [
            ("{'a': '\u00e4', 'b': [1, 2.5, None, True]}", JSON, '{"a": "\u00e4", "b": [1, 2.5, null, true]}'.encode()),
            ("[]", JSON, b"[]"),
            ("None", JSON, b"null"),
            ("False", JSON, b"false"),
            ("7", JSON, b"7"),
            ("0.5", JSON, b"0.5"),
            ("'\u00e4'", TEXT, "\u00e4".encode()),
            ("''", TEXT, b""),
            ("b'\\xff'", BYTES, b"\xff"),
            ("bytearray(b'ab')", BYTES, b"ab"),
            ("memoryview(b'abcd')[::2]", BYTES, b"ac"),
            ("(piece for piece in ['a', b'b', {'c': 1}, [2], '', memoryview(b'd')])", TEXT, b'ab{"c": 1}\n[2]\nd'),
            ("iter([])", TEXT, b""),
            ("map(str, [1, 2])", TEXT, b"12"),
            ("__import__('io').BytesIO(b'1\\n2')", TEXT, b"1\n2"),
        ]
        serving = self.serve("def handle(request): return eval(request.get_text())")
        for expression, kind, body in values:
            with self.subTest(expression):
                answer = serving.ask(expression.encode())
                self.assertEqual(answer, Answer(200, [(b"content-type", kind)], body, None))
        self.assertEqual(serving.end(), (0, "", ""))

    def test_what_is_no_answer_fails_and_says_what_is(self):
        accepted = "; accepted: dict, list, str, bytes, int, float, bool, None, a generator or an async generator"
        values = [
            ("{1, 2}", "TypeError: handle returned set" + accepted),
            ("object()", "TypeError: handle returned object" + accepted),
            ("{'a': {1}}", "TypeError: handle returned dict that is not JSON (Object of type set is not JSON ser"),
            ("float('nan')", "TypeError: handle returned float that is not JSON (Out of range float values"),
            ("[float('inf')]", "TypeError: handle returned list that is not JSON (Out of range float values"),
            ("(lambda x: x.append(x) or x)([])", "TypeError: handle returned list that is not JSON (Circular ref"),
            ("['\\ud800']", "TypeError: handle returned list that is not JSON ('utf-8' codec can't encode"),
            ("{(1, 2): 3}", "TypeError: handle returned dict that is not JSON (keys must be str"),
            ("'\\ud800'", "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800'"),
            ("(1, 2, 3, 4)", "TypeError: handle returned tuple of 4" + accepted),
            ("('a',)", "TypeError: handle returned tuple of 1" + accepted),
            ("((1, 200), 200)", "TypeError: handle returned tuple" + accepted),
            ("('', '200')", "ValueError: handle returned status '200'; accepted: an int from 200 to 599"),
            ("('', 600)", "ValueError: handle returned status 600; accepted: an int from 200 to 599"),
            ("('', 100)", "ValueError: handle returned status 100;"),
            ("('', True)", "ValueError: handle returned status True;"),
            ("('', 200, 5)", "TypeError: handle returned headers as int; accepted: a dict or a list of pairs"),
            ("('', 200, ['a'])", "TypeError: handle returned the header 'a'; accepted: a dict or a list of pairs"),
            ("('', 200, {'a': 5})", "TypeError: handle returned the header a as int; accepted: str or bytes"),
            ("('', 200, {b'a': ''})", "ValueError: handle returned the header name b'a'; accepted: letters"),
            ("('', 200, {'': 'x'})", "ValueError: handle returned the header name ''; accepted: letters"),
            ("('', 200, {'a b': 'x'})", "ValueError: handle returned the header name 'a b'; accepted: letters"),
            ("('', 200, {'a\\r\\nb': 'x'})", "ValueError: handle returned the header name 'a\\r\\nb'; accepted"),
            ("('', 200, {'\u00e4': 'x'})", "ValueError: handle returned the header name '\u00e4'; accepted"),
            ("('', 200, {'a': 'x\\r\\nset-cookie: b=1'})", "ValueError: handle returned the header a as b'x\\r\\nset"),
            ("('', 200, {'a': b'x\\n'})", "ValueError: handle returned the header a as b'x\\n'; accepted: no CR, LF"),
            ("('', 200, {'a': 'x\\0'})", "ValueError: handle returned the header a as b'x\\x00'; accepted: no CR"),
            ("('', 200, [('a', 'b')] * 5000)", "ValueError: 5001 headers make a head of"),
            ("('', 200, {'a': 'b' * 200000})", "ValueError: 2 headers make a head of 2000"),
            ("iter([5])", "TypeError: handle yielded int; accepted: str, bytes, dict or list"),
            ("iter([None])", "TypeError: handle yielded NoneType; accepted"),
            ("iter([[{1}]])", "TypeError: handle yielded list that is not JSON"),
        ]
        serving = self.serve("def handle(request): return eval(request.get_text())")
        for expression, message in values:
            with self.subTest(expression):
                answer = serving.ask(expression.encode())
                self.assertEqual(answer[:3], (None, [], b""))
                self.assertEqual(answer.failed[: len(message)], message)
                self.assertNotIn("\n", answer.failed)
        code, out, err = serving.end()
        self.assertEqual((code, out), (0, ""))
        self.assertNotIn("Traceback", err)
        self.assertEqual(len(err.splitlines()), len(values))

    def test_status_and_headers_are_the_programs(self):
        serving = self.serve("from http import HTTPStatus\ndef handle(request): return eval(request.get_text())")
        typed = (b"content-type", JSON)
        for expression, expected in [
            ("({'a': 1}, 201)", Answer(201, [typed], b'{"a": 1}', None)),
            ("(None, 204)", Answer(204, [], b"", None)),
            ("('', HTTPStatus.NOT_FOUND, None)", Answer(404, [(b"content-type", TEXT)], b"", None)),
            ("([], 599, {'X-A': '\u00e4\\t'})", Answer(599, [typed, (b"X-A", b"\xc3\xa4\t")], b"[]", None)),
            ("('<p>', 200, {'Content-TYPE': 'text/html'})", Answer(200, [(b"Content-TYPE", b"text/html")], b"<p>", None)),
            (
                "(iter('ab'), 200, [('set-cookie', 'a'), ['set-cookie', b'\\xff']])",
                Answer(200, [(b"content-type", TEXT), (b"set-cookie", b"a"), (b"set-cookie", b"\xff")], b"ab", None),
            ),
            ("(1, 200, request.headers)", Answer(200, [typed, (b"x", b"y")], b"1", None)),
        ]:
            with self.subTest(expression):
                self.assertEqual(serving.ask(expression.encode(), headers=[("x", b"y")]), expected)
        self.assertEqual(serving.end(), (0, "", ""))

    def test_nothing_is_imported_before_it_is_needed(self):
        text = """
            import sys
            def handle(request):
                return " ".join(name for name in ("json", "re", "asyncio", "os", "urllib") if name in sys.modules)
        """
        self.assertEqual(self.ask(text, query="a=b+c").body, b"")

    # Streams.

    def test_a_generator_is_sent_as_it_is_produced(self):
        text = """
            def handle(request):
                for piece in ("", "first", "second"):
                    yield piece
                    print("after", piece)
                    input()
        """
        serving = self.serve(text)
        serving.request()
        self.assertEqual(serving.head(), (200, [(b"content-type", TEXT)]))
        for at, piece in enumerate([b"first", b"second"]):
            serving.running.process.stdin.write(b"\n")
            serving.running.process.stdin.flush()
            self.assertEqual(serving.frame(), (ANSWER, at, piece))
        serving.running.process.stdin.write(b"\n")
        serving.running.process.stdin.flush()
        self.assertEqual(serving.frame(), (ANSWER_END, 0, b""))
        self.assertEqual(serving.end(), (0, "after \nafter first\nafter second\n", ""))

    def test_asynchronous_functions_and_generators_share_one_loop(self):
        text = """
            import asyncio
            loops, lock = set(), asyncio.Lock()
            async def numbers():
                for number in range(3):
                    await asyncio.sleep(0)
                    yield str(number)
            async def handle(request):
                loops.add(asyncio.get_running_loop())
                async with lock:
                    await asyncio.sleep(0)
                if request.path == "/numbers":
                    return numbers(), 201
                return {"loops": len(loops)}
        """
        serving = self.serve(text)
        self.assertEqual(serving.ask().body, b'{"loops": 1}')
        self.assertEqual(serving.ask(path="/numbers"), Answer(201, [(b"content-type", TEXT)], b"012", None))
        self.assertEqual(serving.ask().body, b'{"loops": 1}')
        self.assertEqual(serving.end(), (0, "", ""))
        stream = "import asyncio\nasync def handle(request):\n  yield 'a'\n  await asyncio.sleep(0)\n  yield [1]"
        self.assertEqual(self.ask(stream).body, b"a[1]\n")
        self.assertEqual(self.ask("async def other(): return 'x'\ndef handle(request): return other()").body, b"x")

    def test_a_program_may_run_loops_of_its_own(self):
        text = """
            import asyncio
            async def work():
                global loop
                loop = asyncio.get_running_loop()
                return "worked"
            async def stop():
                asyncio.get_running_loop().stop()
                await asyncio.Event().wait()
            def handle(request):
                if request.path == "/async":
                    return work()
                if request.path == "/stop":
                    return stop()
                if request.path == "/close":
                    loop.close()
                return asyncio.run(work())
        """
        serving = self.serve(text)
        for path in ("/async", "/", "/async", "/"):
            self.assertEqual(serving.ask(path=path).body, b"worked")
        self.assertTrue(serving.ask(path="/stop").failed.startswith("RuntimeError: Event loop stopped"))
        self.assertEqual(serving.ask(path="/async").body, b"worked")
        self.assertEqual(serving.ask(path="/close").body, b"worked")
        self.assertEqual(serving.ask(path="/async").body, b"worked")
        self.assertEqual(serving.end()[:2], (0, ""))

    def test_a_stream_that_breaks_off_has_no_end(self):
        text = """
            import asyncio
            def plain():
                try:
                    yield "one"
                    raise KeyError("midway")
                finally:
                    print("closed")
            async def asynchronous():
                try:
                    yield "one"
                    yield 5
                finally:
                    await asyncio.sleep(0)
                    print("closed")
            def bad():
                try:
                    yield 5
                finally:
                    print("closed")
            def early():
                raise OSError("early")
                yield
            def handle(request):
                return globals()[request.path]()
        """
        serving = self.serve(text)
        typed = [(b"content-type", TEXT)]
        self.assertEqual(serving.ask(path="plain"), Answer(200, typed, b"one", "KeyError: 'midway'"))
        failed = "TypeError: handle yielded int; accepted: str, bytes, dict or list"
        self.assertEqual(serving.ask(path="asynchronous"), Answer(200, typed, b"one", failed))
        serving.running.read(len("closed\n"))
        self.assertEqual(serving.ask(path="bad").failed, failed)
        for _ in range(2):  # printed before the call ended
            self.assertTrue(select.select([serving.running.process.stdout], [], [], 0)[0])
            self.assertEqual(serving.running.read(7), b"closed\n")
        self.assertEqual(serving.ask(path="early"), Answer(None, [], b"", "OSError: early"))
        code, out, err = serving.end()
        self.assertEqual((code, out), (0, ""))
        self.assertNotIn("/opt/faas", err)
        self.assertIn("line 5, in plain", err)

    def test_a_long_answer_waits_for_credit(self):
        length = 5_000_000
        for expression in ("'x' * %d", "(b'x' * 70000 for _ in range(%d // 70000 + 1))"):
            expression = expression % length
            with self.subTest(expression):
                serving = self.serve("def handle(request): return %s" % expression)
                serving.request(credit_bytes=0)
                self.assertEqual(serving.head()[0], 200)
                received, granted, grants = 0, 0, (1, 60_000, 300_000)
                while True:
                    if received == granted:
                        grant = grants[received % 3]
                        granted += grant
                        serving.socket.sendall(credit(serving.last, grant))
                    kind, _, body = serving.frame()
                    if kind == ANSWER_END:
                        break
                    received += len(body)
                    self.assertLessEqual(received, granted)
                self.assertEqual(received, length if "*" == expression[4] else 72 * 70000)
                serving.socket.sendall(credit(serving.last, 5))  # on its way when the answer ended
                self.assertEqual(serving.ask(credit_bytes=1 << 30).status, 200)
                self.assertEqual(serving.end(), (0, "", ""))

    def test_credit_of_another_call_is_none(self):
        serving = self.serve("def handle(request): return 'ab'")
        serving.request(credit_bytes=0)
        self.assertEqual(serving.head()[0], 200)
        serving.socket.sendall(credit(serving.last - 1, 100) + credit(serving.last + 1, 100) + credit(serving.last, 1))
        self.assertEqual(serving.frame(), (ANSWER, 0, b"a"))
        serving.socket.sendall(credit(serving.last, 1))
        self.assertEqual(serving.frame(), (ANSWER, 1, b"b"))
        self.assertEqual(serving.frame(), (ANSWER_END, 0, b""))
        self.assertEqual(serving.end(), (0, "", ""))

    # What goes wrong, and what stays.

    def test_what_is_raised_fails_the_call_and_not_the_program(self):
        text = """
            count = 0
            class Odd(BaseException):
                def __str__(self): raise ValueError
            def deeper(): return deeper()
            def inner(request):
                try:
                    request.get_json()
                except ValueError:
                    raise KeyError("k\\nl " + "m" * 2000)
            def handle(request):
                global count
                count += 1
                if request.path == "/raise":
                    raise ValueError("mine")
                if request.path == "/recurse":
                    deeper()
                if request.path == "/odd":
                    raise Odd
                if request.path == "/inner":
                    inner(request)
                return count
        """
        serving = self.serve(text)
        failed = lambda path: serving.ask(path=path).failed
        self.assertEqual(failed("/raise"), "ValueError: mine")
        self.assertEqual(serving.ask().body, b"2")
        self.assertTrue(failed("/recurse").startswith("RecursionError: maximum recursion depth exceeded"))
        self.assertEqual(failed("/odd"), "Odd: <exception str() failed>")
        message = failed("/inner")
        self.assertTrue(message.startswith("KeyError: 'k\\nl mmm"))
        self.assertEqual(len(message), 1000)
        self.assertEqual(serving.ask().body, b"6")
        code, out, err = serving.end()
        self.assertEqual((code, out), (0, ""))
        expected = """
            Traceback (most recent call last):
              File "/code/main.py", line 14, in handle
                raise ValueError("mine")
            ValueError: mine
        """
        self.assertTrue(err.startswith(textwrap.dedent(expected).lstrip()), err)
        self.assertIn("During handling of the above exception", err)
        self.assertNotIn("/opt/faas", err)

    def test_an_asynchronous_traceback_shows_the_program_only(self):
        serving = self.serve("async def work(): raise ValueError('no')\nasync def handle(request): await work()")
        self.assertEqual(serving.ask().failed, "ValueError: no")
        _, _, err = serving.end()
        self.assertEqual([line for line in err.splitlines() if "File" in line], [
            '  File "/code/main.py", line 2, in handle',
            '  File "/code/main.py", line 1, in work',
        ])

    def test_what_was_printed_comes_before_the_end_of_the_answer(self):
        text = """
            import sys
            def handle(request):
                print("partial", end="")
                sys.stderr.write("error")
                if request.path == "/raise":
                    raise SystemError
        """
        serving = self.serve(text)
        for path in ("/", "/raise"):
            serving.ask(path=path)
            for stream, length in ((serving.running.process.stdout, 7), (serving.running.process.stderr, 5)):
                self.assertTrue(select.select([stream], [], [], 0)[0])
                stream.read(length)
        code, out, _ = serving.end()
        self.assertEqual((code, out), (0, ""))

    def test_streams_that_a_program_breaks_do_not_hurt(self):
        serving = self.serve("import sys\nsys.stdout.close()\nsys.stderr = None\ndef handle(request): return request.x")
        self.assertEqual(serving.ask().failed, "AttributeError: 'Request' object has no attribute 'x'")
        self.assertEqual(serving.end()[0], 0)

    def test_the_end_of_the_stream_is_the_end_of_the_program(self):
        text = """
            import asyncio, atexit, threading
            atexit.register(print, "at exit")
            async def forever():
                try:
                    await asyncio.Event().wait()
                finally:
                    print("cancelled")
            async def handle(request):
                global kept
                kept = asyncio.ensure_future(forever())
                threading.Thread(target=lambda: (threading.main_thread().join(), print("thread"))).start()
                await asyncio.sleep(0)
        """
        serving = self.serve(text)
        self.assertEqual(serving.ask().body, b"null")
        self.assertEqual(serving.end(), (0, "cancelled\nthread\nat exit\n", ""))
        self.assertEqual(self.serve("def handle(request): pass").end(), (0, "", ""))

    def test_what_a_call_leaves_in_the_loop_ends_with_it(self):
        text = """
            import asyncio
            async def forever(number):
                try:
                    await asyncio.Event().wait()
                finally:
                    print("cancelled", number)
            async def handle(request):
                global kept
                kept = asyncio.ensure_future(forever(request.path))
                await asyncio.sleep(0)
                if request.path == "b":
                    raise ValueError("mine")
                return [task.done() for task in asyncio.all_tasks()]
        """
        serving = self.serve(text)
        for path, failed in [("a", None), ("b", "ValueError: mine"), ("c", None)]:
            answer = serving.ask(path=path)
            self.assertEqual(answer.failed, failed)
            self.assertEqual(answer.body, b"" if failed else b"[false, false]")
            self.assertEqual(serving.running.read(len("cancelled a\n")), b"cancelled %s\n" % path.encode())
        self.assertEqual(serving.end()[:2], (0, ""))

    def test_what_is_due_later_is_said(self):
        text = """
            import asyncio
            async def handle(request):
                try:
                    await asyncio.wait_for(asyncio.sleep(0), 1000)
                    await asyncio.wait_for(asyncio.Event().wait(), 0.001)
                except asyncio.TimeoutError:
                    pass
                if request.path == "later":
                    asyncio.get_running_loop().call_later(1000, print, "late")
                if request.path == "raise":
                    raise ValueError("mine")
        """
        serving = self.serve(text)
        for path, busy in [("now", False), ("raise", False), ("later", True), ("raise", True)]:
            serving.ask(path=path)
            self.assertEqual(serving.busy, busy, path)
        self.assertEqual(serving.end()[0], 0)

    def test_an_interval_timer_of_a_call_is_said_and_one_of_the_program_is_its_own(self):
        text = """
            import signal
            signal.setitimer(signal.ITIMER_PROF, 1000)
            def handle(request):
                if request.path == "timer":
                    signal.setitimer(signal.ITIMER_REAL, 1000)
                if request.path == "stop":
                    signal.setitimer(signal.ITIMER_REAL, 0)
                if request.path == "raise":
                    signal.alarm(1000)
                    raise ValueError("mine")
        """
        serving = self.serve(text)
        for path, busy in [("now", False), ("timer", True), ("stop", False), ("raise", True), ("stop", False)]:
            serving.ask(path=path)
            self.assertEqual(serving.busy, busy, path)
        self.assertEqual(serving.end()[0], 0)

    def test_the_second_call_finds_what_the_first_one_did(self):
        text = """
            import json, sys
            sys.setrecursionlimit(200)
            deep, calls = [], 0
            def handle(request):
                global calls
                calls += 1
                if request.path == "recurse":
                    return handle(request)
                if request.path == "nan":
                    return float("nan")
                if request.path == "patch":
                    json.dumps = None
                if request.path == "exit":
                    sys.exit(3)
                return {"calls": calls} if request.path == "json" else str(calls)
        """
        serving = self.serve(text)
        self.assertTrue(serving.ask(path="recurse").failed.startswith("RecursionError: "))
        before = int(serving.ask().body)
        self.assertTrue(serving.ask(path="nan").failed.startswith("TypeError: handle returned float"))
        self.assertEqual(serving.ask(path="json").body, b'{"calls": %d}' % (before + 2))
        self.assertEqual(serving.ask(path="patch").body, b"%d" % (before + 3))
        self.assertIn("'NoneType' object is not callable", serving.ask(path="json").failed)
        self.assertEqual(serving.ask().body, b"%d" % (before + 5))
        serving.request(path="exit")
        self.assertEqual(serving.socket.recv(1), b"")
        self.assertEqual(serving.running.finish()[:2], (3, ""))

    def test_a_host_may_close_before_it_has_read(self):
        serving = self.serve("import atexit\natexit.register(print, 'at exit')\ndef handle(request): return 'x'")
        serving.request()
        serving.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(serving.answer().body, b"x")
        self.assertEqual(serving.running.finish(), (0, "at exit\n", ""))
        serving = self.serve("def handle(request): return 'x'")
        serving.request()
        self.assertEqual(serving.exactly(16), frame(LOADED))
        self.assertTrue(select.select([serving.socket], [], [], BOUND)[0])
        serving.socket.close()
        self.assertEqual(serving.running.finish(), (0, "", ""))

    def test_the_stream_is_closed_while_threads_still_run(self):
        text = """
            import threading
            def handle(request):
                threading.Thread(target=input).start()
        """
        serving = self.serve(text)
        serving.ask()
        serving.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(serving.socket.recv(1), b"")
        self.assertEqual(serving.running.finish(b"\n"), (0, "", ""))

    def test_exit_codes_are_the_programs(self):
        for text, expected in [
            ("import sys; sys.exit(3)", (3, "", "")),
            ("import sys\ndef handle(request): sys.exit(4)", (4, "", "")),
            ("async def handle(request): exit(5)", (5, "", "")),
            ("def handle(request):\n  yield 'a'\n  exit('a reason')", (1, "", "a reason\n")),
            ("import os\ndef handle(request): os._exit(9)", (9, "", "")),
            ("import os\ndef handle(request): os.kill(os.getpid(), 9)", (-9, "", "")),
        ]:
            with self.subTest(text):
                running = Running(self, call(text.encode(), ["handle"], contract="handler") + request(8) + credit(8, 9))
                self.assertEqual(running.finish(), expected)
        for text, reasons in [
            ("def handle(request) return 1", ["SyntaxError", '  File "/code/main.py", line 1']),
            ("import nowhere", ["Traceback", "ModuleNotFoundError: No module named 'nowhere'", "line 1, in <module>"]),
            (b"x = '\xff'", ["SyntaxError", "utf-8"]),
            ("other = 1", ["/code/main.py has no function 'handle'; define it there"]),
            ("handle = 1", ["/code/main.py has no function 'handle'"]),
        ]:
            with self.subTest(text):
                code = text if isinstance(text, bytes) else text.encode()
                exit_code, out, err = Running(self, call(code, ["handle"], contract="handler") + request(8)).finish()
                self.assertEqual((exit_code, out), (1, ""))
                self.assertNotIn("/opt/faas", err)
                for reason in reasons:
                    self.assertIn(reason, err)
        interrupted = Running(self, call(b"def handle(request): raise KeyboardInterrupt", ["handle"], contract="handler"))
        interrupted.socket.sendall(request(8))
        code, _, err = interrupted.finish()
        self.assertEqual(code, -2)
        self.assertNotIn("/opt/faas", err)

    # Its place among modules, processes and descriptors.

    def test_the_program_is_a_module_of_its_own_name(self):
        text = """
            import inspect, pickle, sys
            if __name__ == "__main__":
                raise SystemExit("never")
            class Point: x = 3
            def serve(request):
                import __main__
                return [__name__, __file__, sys.modules[__name__].serve is serve, sys.argv, __spec__.name,
                        pickle.loads(pickle.dumps(Point())).x, inspect.getsource(Point), vars(__main__).get("serve"),
                        [name for name in vars(__main__) if not name.startswith("__")]]
        """
        serving = self.serve(text, entry="serve", name="my_api.py")
        expected = ["my_api", "/code/my_api.py", True, ["/code/my_api.py"], "my_api", 3, "class Point: x = 3\n", None, []]
        self.assertEqual(json.loads(serving.ask().body), expected)
        self.assertEqual(serving.end(), (0, "", ""))
        taken = self.serve("import sys\ndef handle(request): return sys.byteorder", name="sys.py")
        self.assertEqual(taken.ask().body, b"little")
        dotted = Running(self, call(b"import os", ["os.getcwd"], contract="handler")).finish()
        self.assertEqual(dotted[0], 1)
        self.assertIn("has no function 'os.getcwd'", dotted[2])

    def test_its_names_do_not_leak(self):
        text = """
            import sys
            def handle(request):
                frame, seen = sys._getframe(), set()
                while frame.f_back is not None:
                    frame = frame.f_back
                    seen.update(frame.f_globals)
                import __main__
                return [sorted(seen), [name for name in sys.modules if "handler" in name or "runner" in name]]
        """
        self.assertEqual(self.json(text), [["__builtins__"], []])

    def test_children_have_no_socket(self):
        text = """
            import os
            def handle(request):
                if request.path == "/exec":
                    return os.system("test -e /proc/self/fd/3")
                child = os.fork()
                if child == 0:
                    return "the child"
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        """
        serving = self.serve(text)
        self.assertEqual(serving.ask(path="/exec").body, b"256")
        self.assertEqual(serving.ask(path="/fork").body, b"1")
        self.assertEqual(serving.ask(path="/fork").body, b"1")
        code, out, err = serving.end()
        self.assertEqual((code, out), (0, ""))
        self.assertEqual(err, "runner: writing to the host failed: [Errno 9] Bad file descriptor\n" * 2)

    def test_a_request_may_come_with_the_program(self):
        serving = self.serve("def handle(request): return request.path", then=request(8, path="/now") + credit(8, 100))
        serving.last = 8
        self.assertEqual(serving.answer().body, b"/now")
        self.assertEqual(serving.ask(path="/then").body, b"/then")
        self.assertEqual(serving.end(), (0, "", ""))

    def test_a_host_that_breaks_the_protocol_ends_it(self):
        begin = call(b"def handle(request): return 'x'", ["handle"], contract="handler")
        whole = request(8, b"abc")
        for frames, reason in [
            (frame(BEGIN), "frame of type 0x30 where a request is due"),
            (whole[:-16] + frame(REQUEST), "frame of type 0x34 inside a request"),
            (request(8, b"abc", announced=4), "a body of 3 bytes came, 4 were announced"),
            (whole + request(9), "frame of type 0x34 inside an answer"),
            (b"\xff" * 16, "longer than allowed"),
            (whole[:20], "the host closed the call socket"),
            (whole[:-16], "the host closed the call socket"),
            (whole, "the host closed the call socket"),
        ]:
            with self.subTest(reason):
                running = Running(self, begin + frames)
                running.socket.shutdown(socket.SHUT_WR)
                code, out, err = running.finish()
                self.assertEqual((code, out), (1, ""))
                self.assertTrue(err.startswith("runner: ") and err.count("\n") == 1, err)
                self.assertIn(reason, err)

    def test_a_host_that_goes_away_ends_it(self):
        text = """
            def handle(request):
                try:
                    while True:
                        yield b"x" * 100000
                finally:
                    print("closed")
        """
        serving = self.serve(text)
        serving.request(credit_bytes=1 << 30)
        serving.frame()
        serving.socket.close()
        code, out, err = serving.running.finish()
        self.assertEqual((code, out), (1, "closed\n"))
        self.assertTrue(err.startswith("runner: "), err)
        self.assertEqual(serving.running.process.wait(BOUND), 1)


if __name__ == "__main__":
    unittest.main()
