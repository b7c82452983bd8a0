"""Compares how programs end with how the interpreter would have ended them.

Run with: python3 runtimes/python/test_leave.py
"""

import re
import sys
import unittest

from harness import ANSWER_END, HERE, Running, RunnerTestCase, call, code_of, credit, frame, request

SOURCE = (HERE / "leave.py").read_text()
LEAVES = "self.leave_now(code)"
# The interpreter always ends on its own, as if there were no leave.py.
ITS_OWN_END = """
class Leaving:
    def read(self, source): pass
    def stay(self): pass
    def leave(self, code): pass
"""
# What leaves at once has this bit of its exit code turned.
MARK = 64
# Elsewhere less is known to be without effect.
LEAVES_MOST = (3, 10) <= sys.version_info < (3, 12)
SHOWS_ITSELF = SOURCE.replace(LEAVES, "self.leave_now(code ^ %d)" % MARK)

# What ends at once. Nothing below may need longer than the interpreter's own end.
QUICK = {
    "nothing": "",
    "a print without a newline": "print('x', end='')",
    "bytes that are not flushed": "import sys; sys.stdout.buffer.write(b'x' * 100_000); sys.stderr.write('y')",
    "exit with nothing": "import sys; sys.exit()",
    "exit with zero": "raise SystemExit(0)",
    "exit with a number": "import sys; print('x', end=''); sys.exit(3)",
    "exit with the largest": "exit(255)",
    "exit below a finally": """
        def work():
            try:
                raise SystemExit(4)
            finally:
                print("finally")
        work()
    """,
    "exit while an object goes away": """
        import atexit
        class Thing:
            def __del__(self):
                print("gone")
        def work():
            thing = Thing()
            raise SystemExit(5)
        atexit.register(print, "at exit")
        work()
    """,
    "the library": "import asyncio, csv, dataclasses, datetime, enum, json, re, typing, urllib.request, uuid",
    "an event loop that has run": """
        import asyncio
        async def work():
            await asyncio.sleep(0)
            print("worked")
        asyncio.run(work())
    """,
    "exit functions in their order": """
        import atexit
        atexit.register(print, "last")
        def fails():
            raise ValueError("no")
        atexit.register(fails)
        def more():
            atexit.register(print, "never")
            print("first")
        atexit.register(more)
        def leaves():
            raise SystemExit(9)
        atexit.register(leaves)
    """,
    "an exit function that sees threads over": """
        import atexit, threading
        atexit.register(lambda: print(threading.main_thread().is_alive()))
    """,
    "an exit function that fails, with a hook": """
        import atexit, sys
        sys.unraisablehook = lambda raised: print("hook", raised.exc_value, raised.err_msg)
        atexit.register(lambda: 1 / 0)
    """,
    "a finalizer of weakref": """
        import weakref
        class Thing: pass
        thing = Thing()
        weakref.finalize(thing, print, "finalized")
    """,
    "logging that buffers": """
        import logging.handlers, sys
        target = logging.StreamHandler(sys.stdout)
        logging.getLogger().addHandler(logging.handlers.MemoryHandler(100, target=target))
        logging.warning("kept until the end")
    """,
    "a temporary directory": """
        import tempfile
        kept = tempfile.TemporaryDirectory(dir="/workspace")
        open(kept.name + "/file", "w").close()
    """,
    "a proxy without a callback": """
        import weakref
        class Thing: pass
        thing = Thing()
        kept = weakref.proxy(thing)
    """,
    "collections of weak references": """
        import weakref
        class Thing: pass
        thing = Thing()
        kept = weakref.WeakSet([thing]), weakref.WeakKeyDictionary({thing: 1}), weakref.WeakValueDictionary(a=thing)
    """,
    "text in memory": "import io; kept = io.StringIO('x'), io.BytesIO(b'y')",
    "a thread that was joined": """
        import threading
        thread = threading.Thread(target=print, args=("thread",))
        thread.start()
        thread.join()
    """,
    "exit in a thread": """
        import sys, threading
        thread = threading.Thread(target=sys.exit, args=(3,))
        thread.start()
        thread.join()
    """,
    "a hook for threads": """
        import threading
        threading.excepthook = lambda raised: print("hook", raised.exc_type.__name__)
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    """,
    "classes equal to each other": """
        class Equal(type):
            def __eq__(self, other): return True
            def __hash__(self): return 1
        class A(metaclass=Equal): pass
        kept = A()
    """,
    "a context that is open": """
        class Context:
            def __enter__(self): return self
            def __exit__(self, *raised): print("left")
        context = Context().__enter__()
    """,
    "standard output that was closed": "import sys; sys.stdout.close()",
    "a fork": """
        import os, sys
        print("before", flush=True)
        child = os.fork()
        if child == 0:
            print("child", end="")
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 64)
    """,
    "a signal's handler": "import signal; signal.signal(signal.SIGTERM, print)",
    "built-ins that were replaced": """
        import builtins
        for name in "any dict id issubclass list map set type zip".split():
            setattr(builtins, name, None)
    """,
    "memory that is mapped": """
        import mmap
        file = open("/workspace/mapped", "w+b", buffering=0)
        file.write(bytes(4096))
        kept = mmap.mmap(file.fileno(), 4096)
        file.close()
        kept[:4] = b"data"
        del file
    """,
}

# What the interpreter has to end.
OWN = {
    "a negative code": "import sys; sys.exit(-1)",
    "a huge code": "import sys; sys.exit(1 << 80)",
    "a code above 255": "import sys; sys.exit(257)",
    "a text as code": "import sys; sys.exit('reason')",
    "an object as code": "import sys; sys.exit([1, {2}])",
    "a truth as code": "import sys; sys.exit(True)",
    "an exit of another class": """
        class Exit(SystemExit):
            @property
            def code(self): print("asked"); return 3
        raise Exit
    """,
    "an exception": "{}['missing']",
    "an exception with a hook": """
        import sys
        sys.excepthook = lambda kind, value, trace: print("hook", kind.__name__)
        1 / 0
    """,
    "a hook that fails": """
        import sys
        def hook(*raised): raise ValueError
        sys.excepthook = hook
        1 / 0
    """,
    "a recursion": "def work(): work()\nwork()",
    "an interrupt": "raise KeyboardInterrupt",
    "a syntax error": "if",
    "os._exit": "import os; print('x', end=''); os._exit(9)",
    "abort": "import os; print('x', end=''); os.abort()",
    "a signal": "import os; print('x', end=''); os.kill(os.getpid(), 15)",
    "a pipe without a reader": """
        import os, sys
        reader, writer = os.pipe()
        os.dup2(writer, 1)
        os.close(reader)
        sys.stdout.write("x")
    """,
    "standard error that fails": """
        import os, sys
        os.dup2(os.open("/dev/null", os.O_RDONLY), 2)
        sys.stderr.buffer.write(b"x")
    """,
    "standard output that was replaced": """
        import sys
        class Output:
            closed = False
            def write(self, text): sys.__stdout__.write("[%s]" % text)
            def flush(self): sys.__stdout__.write("flush")
        sys.stdout = Output()
        print("x")
    """,
    "flush that was replaced": "import sys; sys.stdout.flush = lambda: sys.stdout.write('flush')",
    "a file that is open": "file = open('/workspace/file', 'w'); file.write('unflushed')",
    "a file in a cycle": """
        class Thing: pass
        def work():
            thing = Thing()
            thing.file, thing.itself = open("/workspace/file", "w"), thing
            thing.file.write("unflushed")
        work()
    """,
    "a file on what was a duplicate": "import os; file = os.fdopen(os.dup(1), 'w'); file.write('unflushed')",
    "globals that say they go": """
        class Thing:
            def __init__(self, name): self.name = name
            def __del__(self): print("gone", self.name)
        b, a, _private = Thing("b"), Thing("a"), Thing("private")
        a.other, kept = b, [Thing("in list"), Thing("in list, too")]
        def function(thing=Thing("default")): return a
    """,
    "objects that the collector does not know": """
        class Thing:
            __slots__ = ()
            def __del__(self): print("gone")
        kept = Thing()
    """,
    "a class with a class that says it goes": """
        class Kind(type):
            def __del__(self): print("gone")
        class Thing(metaclass=Kind): pass
    """,
    "classes equal to each other, of which one acts": """
        class Equal(type):
            def __eq__(self, other): return True
            def __hash__(self): return 1
        class A(metaclass=Equal): pass
        class B(metaclass=Equal):
            def __del__(self): print("gone")
        kept = A(), B()
    """,
    "an object that is part of a module": """
        import io
        class Thing:
            def __del__(self): print("gone")
        io.thing = Thing()
        io.thing.itself = io.thing
    """,
    "a generator that is suspended": """
        def work():
            try: yield
            finally: print("finally")
        kept = work()
        next(kept)
    """,
    "a context manager that is suspended": """
        import contextlib
        @contextlib.contextmanager
        def context():
            try: yield
            finally: print("finally")
        kept = context()
        kept.__enter__()
    """,
    "a coroutine that nobody awaits": "async def work(): pass\nkept = work()",
    "an event loop that is open": "import asyncio; loop = asyncio.new_event_loop()",
    "a task that is left": """
        import asyncio
        async def work():
            try: await asyncio.sleep(100)
            finally: print("finally")
        async def main():
            global task
            task = asyncio.ensure_future(work())
            await asyncio.sleep(0)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
    """,
    "a callback of a weak reference": """
        import weakref
        class Thing: pass
        thing = Thing()
        kept = weakref.ref(thing, lambda reference: print("gone"))
    """,
    "a callback that is native": """
        import weakref
        class Thing: pass
        thing = Thing()
        kept = weakref.ref(thing, print)
    """,
    "a finalizer that is not for the end": """
        import weakref
        class Thing: pass
        thing = Thing()
        weakref.finalize(thing, print, "gone").atexit = False
    """,
    "warnings about resources": """
        import os, warnings
        warnings.simplefilter("always")
        kept = os.scandir("/"), open("/dev/null")
        next(kept[0])
    """,
    "a thread": """
        import threading
        started = threading.Event()
        def work():
            started.wait()
            threading.main_thread().join()
            print("thread")
        threading.Thread(target=work).start()
        started.set()
    """,
    "a thread that goes on for ever": """
        import threading
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    """,
    "an exit beside a thread": """
        import sys, threading
        def work():
            threading.main_thread().join()
            print("thread")
        threading.Thread(target=work).start()
        sys.exit(3)
    """,
    "a pool of threads": """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        pool.submit(print, "pool")
    """,
    "a pool of processes": """
        import multiprocessing
        pool = multiprocessing.get_context("fork").Pool(1)
        print(pool.apply(abs, (-1,)))
    """,
    "a process that is left": """
        import subprocess
        process = subprocess.Popen(["/usr/bin/cat"], stdin=subprocess.PIPE)
    """,
    "a database without a commit": """
        import sqlite3
        database = sqlite3.connect("/workspace/database")
        database.execute("create table t (c)")
        database.commit()
        database.execute("insert into t values (1)")
    """,
    "a zip file that is open": """
        import zipfile
        file = zipfile.ZipFile("/workspace/file.zip", "w")
        file.writestr(zipfile.ZipInfo("name"), "content")
    """,
    "a gzip file that is open": """
        import gzip
        file = gzip.GzipFile("/workspace/file.gz", "wb", mtime=0)
        file.write(b"content")
    """,
    "a temporary directory that is in use": """
        import tempfile
        kept = tempfile.TemporaryDirectory(dir="/workspace")
        kept.file = open(kept.name + "/file", "w")
        kept.file.write("unflushed")
    """,
    "objects made by exit functions": """
        import atexit
        class Thing:
            def __del__(self): print("gone")
        def work():
            global kept
            kept = Thing()
        atexit.register(work)
    """,
    "a thread started by an exit function": """
        import atexit, threading
        event = threading.Event()
        def work():
            threading.Thread(target=event.wait, daemon=True).start()
            print("started")
        atexit.register(work)
    """,
    "the C library's own buffer": "import ctypes; ctypes.CDLL(None).printf(b'x')",
    "a trace": "import sys; sys.settrace(lambda frame, event, value: print(event, frame.f_code.co_name))",
    "a profile": "import sys; sys.setprofile(lambda frame, event, value: print(event))",
    "a profile set by name": """
        import sys
        getattr(sys, "set" + "profile")(lambda frame, event, value: event[0] == "c" or print(event))
    """,
    "an audit": """
        import sys
        sys.addaudithook(lambda event, values: print(event))
    """,
    "a collector that tells": """
        import gc
        gc.callbacks.append(lambda phase, info: print(phase))
    """,
    "a collector that debugs": "import gc; gc.set_debug(gc.DEBUG_UNCOLLECTABLE)",
    "a collector that is off": """
        import gc
        class Thing:
            def __del__(self): print("gone", gc.isenabled())
        gc.disable()
        kept = Thing()
        kept.itself = kept
    """,
    "objects out of the collector's sight": """
        import gc
        class Thing:
            def __del__(self): print("gone")
        kept = Thing()
        kept.itself = kept
        gc.freeze()
    """,
    "objects out of sight by another name": """
        import gc
        file = open("/workspace/file", "w")
        file.write("unflushed")
        getattr(gc, "fre" + "eze")()
    """,
    "a fault handler": "import faulthandler; faulthandler.enable()",
    "modules that were replaced": """
        import sys
        class Thing:
            def __del__(self): print("gone")
        kept = Thing()
        sys.modules = dict(sys.modules)
    """,
    "threading that was replaced": """
        import sys, types
        sys.modules["threading"] = types.ModuleType("threading")
        sys.modules["threading"]._shutdown = lambda: print("shutdown")
    """,
    "threading that sees itself looked at": """
        import sys, threading
        class Module(type(sys)):
            def __getattribute__(self, name):
                print("asked for", name)
                return super().__getattribute__(name)
        threading.__class__ = Module
    """,
    "a main thread that threading takes to be over": """
        import threading
        threading.main_thread()._tstate_lock.release()
    """,
    "warnings' filters that see themselves compared": """
        import warnings
        class Message:
            def __eq__(self, other): print("compared"); return True
        first = warnings.filters[0]
        warnings.filters[0] = (first[0], Message(), *first[2:])
    """,
    "the lowest recursion limit": """
        import sys
        for limit in range(1, 1000):
            try: sys.setrecursionlimit(limit)
            except RecursionError: continue
            break
    """,
    "the lowest recursion limit and an exit function": """
        import atexit, sys
        def work(): print("worked")
        atexit.register(lambda: (lambda: work())())
        for limit in range(1, 1000):
            try: sys.setrecursionlimit(limit)
            except RecursionError: continue
            break
    """,
    "no memory to look": """
        import resource
        kept = [[] for _ in range(400_000)]
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used, used))
    """,
    "standard output that was detached": "import sys; b = sys.stdout.detach(); b.write(b'x')",
    "standard output's buffer that was detached": "import sys; kept = sys.stdout.buffer.detach()",
    "an exit function that detaches": "import atexit, sys; atexit.register(sys.stdout.detach)",
    "standard error that was detached": "import sys; kept = sys.stderr.detach()",
    "text in memory with a close of its own": """
        import io
        kept = io.StringIO()
        kept.close = lambda: print("closed")
    """,
    "bytes in memory with a close of their own": """
        import io
        kept = io.BytesIO()
        kept.close = lambda: print("closed")
    """,
    "the C library's own buffer, without its modules": """
        import sys
        import ctypes
        ctypes.CDLL(None).printf(b"x")
        for name in list(sys.modules):
            if "ctypes" in name:
                del sys.modules[name]
    """,
    "a collection that an exit function would see": """
        import atexit, gc
        class Thing:
            def __del__(self): print("gone")
        atexit.register(lambda: print("at exit", gc.isenabled()))
        gc.collect()
        thing = Thing()
        thing.itself = thing
        del thing
        gc.set_threshold(gc.get_count()[0] + 20)
    """,
    "a collector that an exit function turns off": """
        import atexit, gc
        class Thing:
            def __del__(self): print("gone", gc.isenabled())
        atexit.register(gc.disable)
        kept = Thing()
    """,
    "a collector that an exit function turns on": """
        import atexit, gc
        class Thing:
            def __del__(self): print("gone", gc.isenabled())
        atexit.register(gc.enable)
        gc.disable()
        kept = Thing()
    """,
    "a trace that an exit function begins": """
        import atexit, sys
        class Thing:
            def __del__(self): pass
        kept = Thing()
        atexit.register(getattr(sys, "set" + "trace"), lambda frame, event, value: print(event, frame.f_code.co_name))
    """,
    "a profile that an exit function begins": """
        import atexit, sys
        class Thing:
            def __del__(self): pass
        kept = Thing()
        atexit.register(getattr(sys, "set" + "profile"), lambda frame, event, value: print(event, frame.f_code.co_name))
    """,
}

# What an imported module keeps until after the program's own objects are gone.
KEPT = {
    "a callback of a proxy": """
        import sys, weakref
        def keep(thing): sys.kept = weakref.proxy(thing, called)
    """,
    "a callback of a proxy that is called": """
        import sys, weakref
        def keep(thing): sys.kept = weakref.proxy(thing.method, called), weakref.proxy(type(thing), called)
    """,
    "a callback of a weak method": """
        import sys, weakref
        def keep(thing): sys.kept = weakref.WeakMethod(thing.method, called)
    """,
}

HANDLERS = {
    "a plain one": (True, "def handle(request): print('x', end=''); return {}"),
    "exit functions": (True, "import atexit\natexit.register(print, 'at exit')\ndef handle(request): return {}"),
    "a file": (False, "file = open('/workspace/file', 'w')\ndef handle(request): file.write('x'); return {}"),
    "an object that says it goes": (
        False,
        """
        class Thing:
            def __del__(self): print("gone")
        kept = Thing()
        def handle(request): return {}
        """,
    ),
    "one that awaits": (False, "async def handle(request): return {}"),
}


class LeaveTest(RunnerTestCase):
    def end_of(self, *runners):
        """How each ends, and what it leaves in its files."""
        ends = []
        for runner in runners:
            code, out, err = runner.finish()
            folder = runner.root / "files"
            files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
            hidden = [re.sub("0x[0-9a-f]+|tmp[0-9a-z_]{8}", "...", text) for text in (out, err)]
            ends.append((code, *hidden, files))
        return ends

    def check(self, quick, own, ours):
        (code, *shown), ours = self.end_of(own, ours)
        marked = (code ^ MARK, *shown)
        if quick and (LEAVES_MOST or ours[0] == marked[0]):
            self.assertEqual(ours, marked)
        else:
            self.assertEqual(ours, (code, *shown))

    def test_the_code_is_the_programs(self):
        self.assertEqual(SOURCE.count(LEAVES), 1)
        for code in 0, 3, 255:
            runner = Running(self, call(b"exit(%d)" % code))
            self.assertEqual(runner.finish(), (code, "", ""))

    def check_scripts(self, programs, quick):
        for name, text in programs.items():
            with self.subTest(name):
                frames = call(code_of(text))
                self.check(quick, *(Running(self, frames, leave=leave) for leave in (ITS_OWN_END, SHOWS_ITSELF)))

    def test_what_leaves_at_once_shows_no_difference(self):
        self.check_scripts(QUICK, True)

    def test_what_is_due_is_done_by_the_interpreter(self):
        self.check_scripts(OWN, False)

    def test_what_a_module_keeps_is_dropped_by_the_interpreter(self):
        main = code_of("""
            import keeper
            class Thing:
                def method(self): pass
            thing = Thing()
            keeper.keep(thing)
        """)
        for name, text in KEPT.items():
            with self.subTest(name):
                files = {"keeper.py": code_of(text).decode() + "def called(reference): print('called')\n"}
                runners = [Running(self, call(main), files=files, leave=leave) for leave in (ITS_OWN_END, SHOWS_ITSELF)]
                self.check(False, *runners)

    def test_handlers_end_as_scripts_do(self):
        for name, (quick, text) in HANDLERS.items():
            with self.subTest(name):
                runners = []
                for leave in (ITS_OWN_END, SHOWS_ITSELF):
                    frames = call(code_of(text), ["handle"], contract="handler") + request(9) + credit(9, 1000)
                    runners.append(Running(self, frames, leave=leave))
                for runner in runners:
                    answered = b""
                    while not answered.endswith(frame(ANSWER_END, call=9)):
                        piece = runner.socket.recv(65536)
                        self.assertTrue(piece, "the answer ended early")
                        answered += piece
                    runner.socket.close()
                self.check(quick, *runners)


if __name__ == "__main__":
    unittest.main()
