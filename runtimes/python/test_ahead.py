"""Looks at what a program finds in a runner that waited for its call, or was parked before, beside what it finds
where the call was there first.

Run with: python3 runtimes/python/test_ahead.py
"""

import subprocess
import textwrap
import unittest

import test_runner
from harness import COLD, FLAGS, HERE, INTERPRETER, PARKED, PREPARED, WAITING, Running, RunnerTestCase, call, code_of

NAMES = """
asyncio base64 collections.abc csv dataclasses datetime decimal enum hashlib importlib.util inspect json.decoder
logging.handlers os.path pathlib pickle random re shutil statistics string subprocess threading typing urllib.request uuid
xml.etree.ElementTree zoneinfo
"""


class WaitingTest(test_runner.RunnerTest):
    way = WAITING
    # It would say no Hello.
    test_what_this_interpreter_compiled_is_run_and_nothing_else = None


class ParkedTest(WaitingTest):
    way = PARKED


class PreparedTest(WaitingTest):
    """Everything there is for a program, in a copy for packages that it does not have."""

    way = PREPARED


class AheadTest(RunnerTestCase):
    def same(self, text, **options):
        """What a program prints, which is the same in all ways in which its runner may have begun."""
        seen = [Running(self, call(code_of(text)), way=way, **options).finish() for way in (COLD, WAITING, PARKED, PREPARED)]
        for other in seen[1:]:
            self.assertEqual(seen[0], other)
        return seen[0]

    def prints(self, text, expected, **options):
        self.assertEqual(self.same(text, **options), (0, textwrap.dedent(expected).lstrip("\n"), ""))

    def test_a_program_finds_the_interpreter_as_it_is_where_its_call_was_there_first(self):
        text = """
            import sys
            print(list(sys.modules), sys.path, sys.meta_path, sys.argv, sys.orig_argv, sys.flags, sys.warnoptions)
            print([hook.__qualname__ for hook in sys.path_hooks], sorted(sys.path_importer_cache))
            print({name: sorted(vars(module)) for name, module in sys.modules.items() if name != "__main__"})
            import atexit, gc, _thread, _warnings
            print(atexit._ncallbacks(), gc.isenabled(), gc.get_threshold(), gc.callbacks, _thread._count(), _warnings.filters)
            print([(stream.name, stream.mode, stream.encoding, stream.errors, stream.newlines, stream.line_buffering)
                   + (stream.seekable(), stream.buffer.raw.name, stream.buffer.raw.mode, stream.fileno(), stream.closed)
                   for stream in (sys.stdin, sys.stdout, sys.stderr)], sys.stdin is sys.__stdin__)
            import os
            print(sorted(os.listdir("/proc/self/fd")), sorted(os.environ), os.getcwd())
            import threading
            print(len(threading.enumerate()), threading.current_thread() is threading.main_thread(), threading.main_thread().native_id == os.getpid())
        """
        code, out, err = self.same(text)
        self.assertEqual((code, err), (0, ""))
        self.assertNotIn("ahead", out)

    def test_an_import_brings_what_it_brings_there(self):
        text = """
            import sys, posix, atexit
            for name in %r.split():
                print(name, flush=True)
                if posix.fork() == 0:
                    __import__(name)
                    print(list(sys.modules), atexit._ncallbacks())
                    for each, module in sys.modules.items():
                        if each != "__main__" and hasattr(module, "__path__"):
                            print(each, sorted(vars(module)))
                        spec = getattr(module, "__spec__", None)
                        if spec is not None:
                            print(each, spec.name, spec.origin, getattr(spec.loader, "__name__", type(spec.loader)))
                    sys.stdout.flush()
                    posix._exit(0)
                posix.wait()
        """
        code, out, err = self.same(text % NAMES)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("'asyncio.base_events'", out)

    def test_what_is_in_the_workspace_comes_first(self):
        text = """
            import json, string, re, struct
            print(json.dumps({}), string.__file__, re.__name__, re.compile("a").pattern, struct.__file__)
        """
        own = "raise SystemExit('not reached')"
        files = {"string.py": "", "random.txt": own, "json.tar.gz": own}
        self.prints(text, "{} /workspace/string.py re a /usr/lib/python3.11/struct.py\n", files=files)
        code, out, err = self.same("import json", files={"enum.py": "print('mine')"})
        self.assertEqual((code, out), (1, "mine\n"))
        self.assertIn("partially initialized module 'enum'" if "partially" in err else "enum", err)

    def test_what_the_program_writes_there_comes_first(self):
        text = """
            import re
            open("/workspace/json.py", "w").write("print('mine')")
            import json
            print(json.__file__)
        """
        self.prints(text, "mine\n/workspace/json.py\n")

    def test_what_the_program_puts_in_its_place_is_imported_by_others(self):
        text = """
            import sys, types
            mine = types.ModuleType("_json")
            mine.c_make_encoder = mine.c_make_scanner = mine.encode_basestring = mine.scanstring = None
            mine.encode_basestring_ascii = len
            sys.modules["_json"] = mine
            import json.encoder
            print(json.encoder.c_encode_basestring_ascii is len)
        """
        self.prints(text, "True\n")

    def test_what_the_program_changes_is_imported_by_others(self):
        text = """
            import time, functools
            time.monotonic = print
            functools.wraps = repr
            import threading, contextlib, queue
            print(threading._time is print, contextlib.wraps is repr, queue.time is print)
        """
        self.prints(text, "True True True\n")

    def test_what_the_program_removes_is_loaded_anew(self):
        text = """
            import importlib.util, json, re, sys
            old, olds = re, json.decoder
            del sys.modules["re"]
            import re
            print(re is old, json.scanner.re is old)
            import copy, string
            print(string._re is re)
            del sys.modules["json"], sys.modules["json.decoder"]
            import json
            print(json.decoder is olds, json.decoder.re is re)
            print(importlib.reload(json) is json, importlib.util.find_spec("uuid").loader.__class__)
        """
        expected = """
            False True
            True
            False True
            True <class '_frozen_importlib_external.SourceFileLoader'>
        """
        self.prints(text, expected)

    def test_finders_hooks_and_tracers_see_the_imports_they_would_see(self):
        text = """
            import sys
            seen = []
            class Finder:
                @staticmethod
                def find_spec(name, path=None, target=None):
                    seen.append(name)
            sys.meta_path.insert(0, Finder)
            import json
            print(seen)
        """
        self.same(text)
        text = """
            import builtins
            plain = builtins.__import__
            def noted(name, *rest):
                print(name)
                return plain(name, *rest)
            builtins.__import__ = noted
            import json, uuid
        """
        self.same(text)
        text = """
            import sys
            sys.setprofile(lambda frame, event, arg: print(event, frame.f_code.co_name, frame.f_code.co_filename))
            import base64
            sys.setprofile(None)
        """
        self.same(text)
        self.same("import sys\nsys.addaudithook(lambda event, given: print(event, *(each for each in given if type(each) is str)))\nimport base64")

    def test_what_cannot_be_imported_is_shown_as_there(self):
        files = {"broken.py": "import json\n1 / 0\n", "asks.py": "import json.nothing"}
        for text in ("import nothing", "import json.nothing", "import json\nimport broken", "import asks", "from json import no"):
            code, _, err = self.same(text, files=files)
            self.assertEqual(code, 1)
            self.assertNotIn("/opt/faas", err)

    def test_all_threads_get_one_module(self):
        text = """
            import _thread, sys, time
            found, ended = [], []
            sys.setswitchinterval(1e-6)
            def get():
                try:
                    import asyncio, json, random
                    found.append((id(asyncio), id(json.decoder.re), id(random)))
                finally:
                    ended.append(None)
            for _ in range(8):
                _thread.start_new_thread(get, ())
            while len(ended) < 8:
                time.sleep(0)
            print(len(set(found)))
        """
        self.prints(text, "1\n")

    def test_clocks_and_randomness_begin_when_they_are_imported(self):
        text = """
            import time
            before = time.time()
            import logging
            begun = logging._startTime
            print((begun if isinstance(begun, float) else begun / 1e9) >= before)
        """
        self.prints(text, "True\n")
        text = """
            class Loaded:
                pass
            names = {"__name__": "ahead"}
            exec(compile(open("ahead.py").read(), "ahead.py", "exec"), names)
            ahead = names["Ahead"]()
            ahead.load(lambda: True)
            before = ahead.known["random"].getstate()
            ahead.enter()
            import random
            print(random is ahead.known["random"], random.getstate() == before)
        """
        looked = subprocess.run([INTERPRETER, *FLAGS, "-c", code_of(text)], cwd=HERE, capture_output=True)
        self.assertEqual((looked.stdout, looked.stderr), (b"True False\n", b""))

    def test_what_took_no_call_ends_quietly(self):
        for way in WAITING, PARKED, PREPARED:
            running = Running(self, b"", way=way)
            running.socket.close()
            self.assertEqual(running.finish(), (1, "", "runner: the host closed the call socket\n"))


if __name__ == "__main__":
    unittest.main()
