"""Looks at what a program finds of packages that were loaded before it, beside what it finds where it loads them, and
at what packages do that is not to be copied.

Run with: python3 runtimes/python/test_prepare.py
"""

import pathlib
import unittest

from harness import COLD, PREPARED, WAITING, Ended, Running, RunnerTestCase, call, code_of, prepare
from test_handler import Serving

FAILED, CHANGED, THREADS, OPEN = 81, 82, 83, 84
# What a package does as it is loaded that can be done again.
BUSY = {
    "busy-1.0.dist-info/RECORD": "busy/__init__.py,,\nbusy/inner.py,,\n",
    "busy/__init__.py": """
        import atexit, logging, sys, typing, warnings
        from . import inner
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.filterwarnings("always", "of busy", append=True)
        logging.getLogger("busy.deep.log").addHandler(logging.NullHandler())
        log = logging.getLogger("busy")
        atexit.register(print, "busy", end="!\\n")
        typing.cast = None
        typing.added = 1
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == "busy_moves":
                    import importlib.machinery
                    return importlib.machinery.ModuleSpec(name, None)
        sys.meta_path.append(Finder)
        sys.modules["busy.alias"] = inner
        """,
    "busy/inner.py": """
        import importlib, logging
        log = logging.getLogger("busy.deep")
        csv = importlib.import_module("csv")
        try:
            import missing_of_busy
        except ImportError:
            missing_of_busy = None
        """,
}
# What is asked for while it is loaded.
ASKS = {
    "asks-1.0.dist-info/RECORD": "asks.py,,\nargs.py,,\ndraws.py,,\nall_of_it.py,,\n",
    "asks.py": "import os\nWORD, OTHER = os.environ.get('WORD'), 'OTHER' in os.environ",
    "args.py": "import sys\nWORDS = list(sys.argv)",
    "draws.py": "import random\nNUMBER = random.random()",
    "all_of_it.py": "import os\nALL = dict(os.environ)",
}
# One that the program can tell whether it was loaded before.
WORDS = {
    "words-1.0.dist-info/RECORD": "words.py,,\n",
    "words.py": "HELLO = 'hello'",
}

def native():
    """One with native code: a module of the library's, under a name of its own."""
    file = next(pathlib.Path("/usr/lib/python3.11/lib-dynload").glob("_queue.*"))
    return {
        "words-1.0.dist-info/RECORD": "words/__init__.py,,\n",
        "words/__init__.py": "import os, json\nfrom words import _queue\nWORD = os.environ.get('WORD')\n",
        "words/" + file.name: file.read_bytes(),
    }


class PrepareTest(RunnerTestCase):
    way = PREPARED

    def run_with(self, packages, distributions, text, way=PREPARED, env=(), **options):
        env = [(name.encode(), value.encode()) for name, value in env]
        frames = call(code_of(text), env=env)
        return Running(self, frames, way=way, packages=packages, distributions=distributions, **options).finish()

    def same(self, packages, distributions, text, **options):
        cold, prepared = (self.run_with(packages, distributions, text, way=way, **options) for way in (COLD, PREPARED))
        self.assertEqual(cold, prepared)
        self.assertEqual(cold[::2], (0, ""))
        return cold[1]

    def unfit(self, text, code, **options):
        """What a package does for which its process ends instead of being copied."""
        packages = {"evil-1.0.dist-info/top_level.txt": "evil\n", "evil.py": text}
        with self.assertRaises(Ended) as ended:
            Running(self, b"", packages=packages, distributions=["evil"], **options)
        self.assertEqual(ended.exception.args[0], code, ended.exception)

    def test_modules_are_found_as_distributions_name_them(self):
        packages = {
            "My.Own_Words-1.0.dist-info/RECORD": "my_words/__init__.py,,\nmy_words/deep/__init__.py,,\nlone.py,sha256=x,3\n",
            "my_words/__init__.py": "",
            "my_words/deep/__init__.py": "raise SystemExit('nobody asked')",
            "lone.py": "",
            "cloud_part-2.dist-info/RECORD": "shared/cloud/part/__init__.py,,\n../../bin/x,,\nshared/cloud/part/a.py,,\n",
            "shared/cloud/part/__init__.py": "",
            "topped-3.dist-info/top_level.txt": "topped\ntests\n",
            "topped.py": "",
            "tests/__init__.py": "1 / 0",
            "bare-4.dist-info/METADATA": "",
            "bare.py": "",
            "other-5.dist-info/RECORD": "other.py,,\n",
            "other.py": "1 / 0",
        }
        text = """
            import gc, sys, types
            names = [each.__name__ for each in gc.get_objects() if type(each) is types.ModuleType]
            print(sorted({"my_words", "lone", "shared.cloud.part", "topped", "tests", "bare", "other"} & set(names)))
            print([name for name in sys.modules if name in names and name not in sys.builtin_module_names and name[0] in "mlstbo"])
        """
        wanted = ["my-own.WORDS", "cloud.part", "topped", "bare", "not-there"]
        seen = self.run_with(packages, wanted, text)[1].splitlines()
        self.assertEqual(eval(seen[0]), ["bare", "lone", "my_words", "shared.cloud.part", "topped"])
        self.assertNotIn("my_words", seen[1])

    def test_what_was_loaded_is_what_the_program_imports(self):
        for way, same in (COLD, False), (PREPARED, True):
            running = Running(self, b"", way=way, packages={**WORDS, "words.py": "from uuid import uuid4\nNAME = uuid4()"},
                              distributions=["words"])
            held = "import gc, types\nheld = [m for m in gc.get_objects() if type(m) is types.ModuleType and m.__name__ == 'words']\n"
            running.socket.sendall(call(code_of(held + "import words\nprint(words in held, words.__spec__.origin)")))
            self.assertEqual(running.finish(), (0, "%s /packages/words.py\n" % same, ""))

    def test_a_program_that_imports_nothing_finds_nothing(self):
        text = """
            import atexit, logging, sys, warnings
            print(list(sys.modules), sys.path, len(sys.meta_path), atexit._ncallbacks(), warnings.filters)
            print([name for name in logging.root.manager.loggerDict if name.startswith("busy")])
            import typing
            print(typing.cast.__name__, hasattr(typing, "added"))
        """
        self.same(BUSY, ["busy"], text)

    def test_what_a_package_did_is_done_when_it_is_imported(self):
        text = """
            import atexit, logging, sys, warnings
            before = set(sys.modules)
            %s
            print([name for name in sys.modules if name not in before])
            print(atexit._ncallbacks(), [(one[0], one[2].__name__) for one in warnings.filters], len(sys.meta_path))
            loggers = logging.root.manager.loggerDict
            print({name: (type(each).__name__, getattr(getattr(each, "parent", None), "name", None))
                   for name, each in sorted(loggers.items()) if name.startswith("busy")})
            import typing
            print(typing.cast, hasattr(typing, "added"))
            try:
                import busy_moves
            except ImportError:
                print("no moves")
            else:
                print("moves")
        """
        for imports in "import busy", "import busy.inner", "from busy import alias", "import typing, busy, csv, xml.dom":
            self.assertIn("'busy.deep.log': ('Logger', 'busy.deep')", self.same(BUSY, ["busy"], text % imports))

    def test_loggers_that_the_program_made_are_the_packages(self):
        text = """
            import logging
            mine = logging.getLogger("busy")
            %s
            import busy
            print(busy.log is mine, busy.log.disabled, busy.inner.log.parent is mine)
        """
        config = "import logging.config; logging.config.dictConfig({'version': 1})"
        for more in "", config:
            self.assertTrue(self.same(BUSY, ["busy"], text % more).startswith("True"))

    def test_what_asks_for_what_is_another_is_loaded_anew(self):
        text = """
            import asks, args, draws, all_of_it
            print(asks.WORD, asks.OTHER, args.WORDS, sorted(all_of_it.ALL))
        """
        for env in [], [("WORD", "a")], [("OTHER", "b")], [("UNASKED", "c")]:
            self.same(ASKS, ["asks"], text, env=env)
        again = "import os; os.environ['WORD'] = 'mine'\nimport asks; print(asks.WORD)"
        self.assertEqual(self.same(ASKS, ["asks"], again), "mine\n")

    def test_a_call_that_would_find_another_has_an_interpreter_of_its_own(self):
        held = "import gc, types, sys\nprint('words' in [getattr(m, '__name__', '') for m in gc.get_objects() if type(m) is types.ModuleType])\n"
        packages = native()
        shown = held + "print(sys.orig_argv, sys.argv)\nimport os, words\nprint(os.listdir('/proc/self/fd'), words.WORD)\n"
        argv = "['/usr/bin/python3', '-I', '-S', '-X', 'utf8', '/opt/faas/start.py'] ['/code/main.py']\n"
        there = self.run_with(packages, ["words"], shown)
        self.assertEqual(there, (0, "True\n" + argv + "['0', '1', '2', '3'] None\n", ""))
        for env, files, more in [
            ([("WORD", "a")], None, ""),
            ([], {"words.py": "WORD = 'mine'"}, ""),
            ([], {"json.py": ""}, ""),
            ([], None, "sys.setprofile(None)\n" + "#" * 200_000),
        ]:
            text = shown + more
            prepared = self.run_with(packages, ["words"], text, env=env, files=files)
            self.assertEqual(prepared, self.run_with(packages, ["words"], text, way=COLD, env=env, files=files))
            self.assertTrue(prepared[1].startswith("False\n" + argv), prepared)

    def test_what_can_be_made_once_is_given_to_who_watches_too(self):
        text = """
            import sys
            class Finder:
                @staticmethod
                def find_spec(name, path=None, target=None):
                    pass
            sys.meta_path.insert(0, Finder)
            import gc, types
            held = [m for m in gc.get_objects() if type(m) is types.ModuleType and getattr(m, "__name__", "") == "words._queue"]
            import words, json
            print(words._queue in held, sys.modules["words._queue"] is words._queue, words._queue.SimpleQueue, words.WORD)
        """
        expected = "True True <class '_queue.SimpleQueue'> None\n"
        self.assertEqual(self.run_with(native(), ["words"], text), (0, expected, ""))

    def test_a_handler_begins_again_too(self):
        packages = native()
        text = """
            import words
            def handle(request):
                return str(words.WORD)
            """
        for env, expected in ([], b"None"), ([(b"WORD", b"a")], b"a"):
            serving = Serving(self, text, variables=env, packages=packages, distributions=["words"])
            self.assertEqual(serving.ask().body, expected)
            self.assertEqual(serving.end(), (0, "", ""))

    def test_numbers_that_a_package_draws_are_each_copys_own(self):
        packages = {
            "drawn-1.0.dist-info/RECORD": "drawn.py,,\n",
            "drawn.py": "import random, ssl\nOWN, SEEDED = random.Random(), random.Random(5)\nssl.RAND_bytes(1)\nBEFORE = OWN.getstate()",
        }
        text = "import drawn\nprint(drawn.OWN.getstate() == drawn.BEFORE, drawn.SEEDED.random())"
        self.assertEqual(self.run_with(packages, ["drawn"], text)[1], "False 0.6229016948897019\n")

    def test_what_cannot_be_loaded_is_not_copied(self):
        for text in "1 / 0", "import nothing", "raise SystemExit", "raise KeyboardInterrupt", "import sys; sys.exit(0)", "(":
            self.unfit(text, FAILED)
        self.unfit("import os; os._exit(7)", 7)
        self.unfit("import os; os.kill(os.getpid(), 9)", -9)
        running = Running(self, call(b"print('loads others')"), packages={}, distributions=["evil"])
        self.assertEqual(running.finish(), (0, "loads others\n", ""))

    def test_what_changes_the_interpreter_is_not_copied(self):
        for text in [
            "import sys; sys.path.append('/packages/more')",
            "import sys; sys.meta_path.insert(0, sys.meta_path[0])",
            "import sys; sys.stdout = open('/dev/null', 'w')",
            "import sys; sys.setrecursionlimit(5000)",
            "import sys; sys.excepthook = print",
            "import sys; sys.argv.append('x')",
            "import builtins; builtins.print = None",
            "import signal; signal.signal(signal.SIGTERM, print)",
            "import os; os.environ['A'] = 'b'",
            "import os; os.putenv('A', 'b'); os.environb[b'A'] = b'b'",
            "import os; os.chdir('/tmp')",
            "import os; os.umask(0)",
            "open('/tmp/left', 'w').close()",
            "import logging; logging.basicConfig()",
            "import gc; gc.set_threshold(9)",
            "import warnings; warnings.resetwarnings()",
            "import logging; del logging.WARN",
            "import logging\ntry:\n    import sys; sys.meta_path.insert(0, None)\n    import xml.dom\nexcept BaseException:\n    pass",
        ]:
            with self.subTest(text):
                self.unfit(text, CHANGED)

    def test_what_goes_on_or_stays_open_is_not_copied(self):
        self.unfit("import threading, time; threading.Thread(target=time.sleep, args=(99,), daemon=True).start()", THREADS)
        self.unfit("import os, time\nif os.fork() == 0:\n    time.sleep(0)\n    os._exit(0)", THREADS)
        self.unfit("import socket; kept = socket.socketpair()", OPEN)
        self.unfit("import mmap; kept = mmap.mmap(-1, 4096)", OPEN)

    def test_what_a_package_prints_is_printed_before_it_is_copied(self):
        packages = {**WORDS, "words.py": "print('printed', end='')"}
        running = Running(self, b"", packages=packages, distributions=["words"])
        self.assertEqual(running.read(7), b"printed")
        running.socket.sendall(call(b"print('once')"))
        self.assertEqual(running.finish(), (0, "once\n", ""))

    def test_only_what_was_stopped_before_prepares(self):
        for way in COLD, WAITING:
            code, _, err = Running(self, prepare(["words"]), way=way).finish()
            self.assertEqual((code, err), (1, "runner: the call does not begin with Begin\n"))


if __name__ == "__main__":
    unittest.main()
