"""Looks at what the code of a script sees.

Run with: python3 runtimes/python/test_runner.py
"""

import importlib.util
import marshal
import socket
import textwrap
import unittest

from harness import BEGIN, BOUND, END, FLAGS, HELLO, Running, RunnerTestCase, call, code_of, frame


class RunnerTest(RunnerTestCase):
    def run_code(self, text, stdin=b"", arguments=(), contract="script", **options):
        return Running(self, call(code_of(text), arguments, contract=contract), **options).finish(stdin)

    def check(self, text, expected, **options):
        code, out, err = self.run_code(text, **options)
        self.assertEqual((code, out, err), (0, textwrap.dedent(expected).lstrip("\n"), ""))

    def test_says_hello_and_runs_in_main(self):
        running = Running(self, call(b"import sys\nprint(__name__, __file__, sys.argv)", ["a", "\u00e4 b", ""]))
        expected = "__main__ /code/main.py ['/code/main.py', 'a', '\u00e4 b', '']\n"
        self.assertEqual(running.finish(), (0, expected, ""))
        self.assertEqual(running.socket.recv(1000), HELLO)
        self.assertEqual(running.socket.recv(1000), b"")

    def test_what_this_interpreter_compiled_is_run_and_nothing_else(self):
        code = compile("print('compiled')", "/opt/faas/runner.py", "exec")
        compiled = importlib.util.MAGIC_NUMBER + marshal.dumps(code)
        self.check("print('source')", "compiled\n", compiled=compiled)
        for other in b"", b"\0\0\r\n" + compiled[4:], compiled[1:]:
            self.check("print('source')", "source\n", compiled=other)

    def test_argv_json_is_the_first_argument(self):
        text = "import json, sys; print(json.loads(sys.argv[1])['n'] + 1)"
        self.check(text, "42\n", arguments=['{"n": 41}'], contract="argv-json")

    def test_user_code_sees_three_descriptors(self):
        # The fourth is the directory itself while it is read.
        self.check("import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))", "[0, 1, 2, 3]\n")

    def test_stdin_and_streams_are_utf8_in_an_empty_environment(self):
        text = """
            import os, sys
            print(dict(os.environ), sys.stdout.encoding, sys.getfilesystemencoding())
            print(sys.stdin.read().upper())
            print(open("/proc/self/environ").read() == "")
            import subprocess
            print(subprocess.run(["/usr/bin/env"], capture_output=True).stdout)
        """
        self.check(text, "{} utf-8 utf-8\n\u00c4\u00d6\nTrue\nb''\n", stdin="\u00e4\u00f6".encode())
        self.check(text, "{} utf-8 utf-8\n\n\nTrue\nb''\n".replace("\n\n\n", "\n\n"), flags=("-I",))

    def test_what_was_asked_of_the_locale_stays(self):
        text = "import os; print(dict(os.environ))"
        self.check(text, "{'LC_CTYPE': 'C.UTF-8'}\n", env=["LC_CTYPE=C.UTF-8"])
        self.check(text, "{'LANG': 'C', 'A': 'b'}\n", env=["LANG=C", "A=b"])

    def test_variables_of_the_call_are_those_it_would_have_been_started_with(self):
        names = {"A": "b", "PATH": "/usr/bin", "EMPTY": "", "WITH": "a=b\nc", "\u00e4": "\u00f6", "HOME": "/workspace"}
        text = """
            import os, subprocess, sys
            print(dict(os.environ), os.environb[b"A"], os.getenv("WITH"))
            listed = subprocess.run(["/usr/bin/env", "-0"], capture_output=True).stdout
            print(sorted(listed.split(b"\\0")))
        """
        outputs = []
        for given, started in ((names, {}), ({}, names)):
            env = [(name.encode(), value.encode()) for name, value in given.items()]
            started = [f"{name}={value}" for name, value in started.items()]
            outputs.append(Running(self, call(code_of(text), env=env), env=started).finish())
        self.assertEqual(*outputs)
        self.assertIn(str(names), outputs[0][1])

    def test_its_names_do_not_leak(self):
        text = """
            print(sorted(globals()))
            import sys
            frame = sys._getframe()
            while frame.f_back is not None:
                frame = frame.f_back
                print(*frame.f_globals)
            import __main__
            print(__main__.__dict__ is globals(), __builtins__ is sys.modules["builtins"])
        """
        expected = """
            ['__builtins__', '__cached__', '__doc__', '__file__', '__loader__', '__name__', '__package__', '__spec__']
            __builtins__
            __builtins__
            __builtins__
            True True
        """
        self.check(text, expected)

    def test_a_traceback_shows_the_program_and_not_the_runner(self):
        text = """
            def outer():
                try:
                    {}["missing"]
                except KeyError as error:
                    raise ValueError("no\u00ef") from error

            outer()
        """
        code, out, err = self.run_code(text)
        self.assertEqual((code, out), (1, ""))
        shown = [line for line in err.splitlines() if not set(line) <= set(" ^~")]
        expected = """
            Traceback (most recent call last):
              File "/code/main.py", line 3, in outer
                {}["missing"]
            KeyError: 'missing'

            The above exception was the direct cause of the following exception:

            Traceback (most recent call last):
              File "/code/main.py", line 7, in <module>
                outer()
              File "/code/main.py", line 5, in outer
                raise ValueError("no\u00ef") from error
            ValueError: no\u00ef
        """
        self.assertEqual(shown, [line for line in textwrap.dedent(expected).splitlines() if line])

    def test_a_syntax_error_shows_the_line(self):
        code, out, err = self.run_code("x = 1\nif x\n    pass\n")
        self.assertEqual((code, out), (1, ""))
        self.assertIn('  File "/code/main.py", line 2\n    if x\n', err)
        self.assertNotIn("Traceback", err)
        self.assertNotIn("runner", err)

    def test_exit_codes_are_the_interpreters(self):
        for text, expected in [
            ("pass", (0, "", "")),
            ("", (0, "", "")),
            ("raise SystemExit", (0, "", "")),
            ("import sys; sys.exit(3)", (3, "", "")),
            ("exit(4)", (4, "", "")),
            ("import sys; sys.exit('a reason')", (1, "", "a reason\n")),
            ("import os; os._exit(9)", (9, "", "")),
            ("import os; os.kill(os.getpid(), 9)", (-9, "", "")),
        ]:
            with self.subTest(text):
                self.assertEqual(self.run_code(text), expected)
        code, _, err = self.run_code("raise KeyboardInterrupt")
        self.assertEqual(code, -2)
        self.assertNotIn("runner", err)

    def test_without_site_what_site_gives_is_there(self):
        text = "print(callable(exit), callable(quit), callable(help)); import sys; print(sys.path[0])"
        for flags in [FLAGS, ("-I",)]:
            self.check(text, "True True True\n/workspace\n", flags=flags)
        paths = "import sys; print([path for path in sys.path if path.startswith('/usr/lib/python3/')])"
        self.assertEqual(self.run_code(paths), self.run_code(paths, flags=("-I",)))

    def test_user_hooks_see_the_program_only(self):
        text = """
            import sys, traceback
            def hook(kind, value, trace):
                print(kind.__name__, [entry.name for entry in traceback.extract_tb(trace)], sys.excepthook is hook)
            sys.excepthook = hook
            raise ValueError
        """
        self.assertEqual(self.run_code(text), (1, "ValueError ['<module>'] True\n", ""))

    def test_threads_and_atexit_run_to_the_end(self):
        text = """
            import atexit, sys, threading
            atexit.register(print, "at exit")
            def work():
                main.join()
                print("thread")
                raise ValueError("in thread")
            main = threading.main_thread()
            threading.Thread(target=work).start()
            raise ValueError("in main")
        """
        code, out, err = self.run_code(text)
        self.assertEqual((code, out), (1, "thread\nat exit\n"))
        self.assertIn('    raise ValueError("in main")\n', err)
        self.assertIn('    raise ValueError("in thread")\n', err)
        self.assertNotIn("runner", err)

    def test_each_line_appears_at_once(self):
        running = Running(self, call(b"print('first')\ninput()\nprint('second')"))
        self.assertEqual(running.read(6), b"first\n")
        self.assertEqual(running.finish(b"\n"), (0, "second\n", ""))

    def test_a_closed_stdout_is_exit_120(self):
        running = Running(self, call(b"input()\nprint('x', end='')"))
        running.process.stdout.close()
        running.process.stdin.write(b"\n")
        running.process.stdin.close()
        self.assertEqual(running.process.wait(BOUND), 120)
        self.assertIn(b"BrokenPipeError", running.process.stderr.read())

    def test_files_in_the_workspace_are_importable(self):
        text = "import helper, os; print(helper.VALUE, os.getcwd(), os.listdir('.'))"
        self.check(text, "5 /workspace ['helper.py']\n", files={"helper.py": "VALUE = 5"})

    def test_classes_of_main_pickle_and_processes_fork(self):
        text = """
            import inspect, multiprocessing, pickle
            class Point:
                x = 3
            def square(number):
                return number * number
            if __name__ == "__main__":
                print(pickle.loads(pickle.dumps(Point())).x, inspect.getsource(square).splitlines()[0])
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    print(pool.map(square, [1, 2, 3]))
        """
        self.check(text, "3 def square(number):\n[1, 4, 9]\n")

    def test_long_code_comes_in_pieces(self):
        code = b"#" * 300_000 + b"\nprint('end')"
        self.assertEqual(Running(self, call(code)).finish(), (0, "end\n", ""))
        self.assertEqual(Running(self, call(b"print(1)", piece=1)).finish(), (0, "1\n", ""))

    def test_without_room_for_the_source_the_program_still_runs(self):
        code, out, err = self.run_code("#" * 9000 + "\nprint(1)\n1 / 0", code_size="4k")
        self.assertEqual((code, out), (1, "1\n"))
        self.assertIn('File "/code/main.py", line 3, in <module>', err)
        self.assertNotIn("runner", err)

    def test_a_host_that_breaks_the_protocol_ends_it(self):
        begin = call(b"print('never')")
        for frames, reason in [
            (frame(END), "does not begin"),
            (frame(0x77), "does not begin"),
            (call(b"", contract="cgi"), "contract cgi"),
            (begin[:-16] + frame(BEGIN), "inside the code"),
            (begin[: -16 - 16 - 14] + frame(END), "bytes of code came"),
            (b"\xff" * 16, "longer than allowed"),
        ]:
            with self.subTest(reason):
                code, out, err = Running(self, frames).finish()
                self.assertEqual((code, out), (1, ""))
                self.assertIn(reason, err)
        running = Running(self, begin[:20])
        running.socket.shutdown(socket.SHUT_WR)
        code, _, err = running.finish()
        self.assertEqual((code, err), (1, "runner: the host closed the call socket\n"))


if __name__ == "__main__":
    unittest.main()
