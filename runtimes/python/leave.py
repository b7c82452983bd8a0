"""Ends the process at once where nobody can tell that from the interpreter's own end.

The interpreter takes itself apart to its last object, which is a good part of what a short program costs. What
anyone sees of that is what objects do when they are dropped. Where none is left that does anything, none needs to
be dropped. So nothing of the interpreter's end is imitated: either it is due, and happens, or it is left out.

runner.py reads this file before there is a call; it is no module. Its names are gone before user code runs, which
may replace built-ins and what modules have, so everything needed is held from the beginning.
"""

import _frozen_importlib
import _frozen_importlib_external
import _io
import _thread
import _warnings
import _weakref
import atexit
import gc
import posix
import sys

# Native modules whose objects do nothing when they are dropped, other than by `__del__`, and which leave nothing to
# be done by the C library's exit().
NATIVE = """
_abc _ast _asyncio _bisect _blake2 _bz2 _codecs _collections _contextvars _csv _datetime _decimal _elementtree
_functools _hashlib _heapq _imp _io _json _locale _lzma _md5 _opcode _operator _pickle _posixsubprocess _queue _random
_sha1 _sha2 _sha256 _sha3 _sha512 _signal _socket _sre _ssl _stat _statistics _string _struct _suggestions _sysconfig
_thread _tokenize _typing _uuid _warnings _weakref _zoneinfo array atexit binascii builtins cmath errno fcntl gc grp
itertools marshal math mmap posix pwd pyexpat resource select sys termios time unicodedata zlib
"""

# What is in the source of a program that may see itself looked at, or arranges for its end on its own.
SEES = b"audithook", b"setprofile", b"settrace", b"monitoring", b"freeze"

# More objects than this are not looked at: the program may not have left the memory that their list takes.
MOST = 500_000
HAS_GC = 1 << 14  # in a type's flags: the collector knows its objects


class Leaving:
    """Made before there is a call. What exists by then does nothing when it is dropped, and is out of the
    collector's sight until the interpreter ends on its own."""

    any, dict, id, issubclass, kind_of, list = any, dict, id, issubclass, type, list
    map, set, zip, broken, changed = map, set, zip, BaseException, Exception
    modules, sys, threads, exits, warned = sys.modules, sys, _thread, atexit, _warnings
    leave_now, blocks, objects, freeze = posix._exit, sys.getallocatedblocks, gc.get_objects, gc.freeze
    enable, disable, enabled, debug, unfreeze = gc.enable, gc.disable, gc.isenabled, gc.get_debug, gc.unfreeze
    referents, recursion, limit = gc.get_referents, sys.getrecursionlimit, sys.getrecursionlimit()
    function, native_function = type(lambda: None), type(posix._exit)
    module, reference = type(sys), _weakref.ReferenceType
    looked_at, proxies = (type, module, reference), frozenset(map(id, (_weakref.ProxyType, _weakref.CallableProxyType)))
    most, has_gc, sees, native, names = MOST, HAS_GC, SEES, frozenset(NATIVE.split()), frozenset(("mode",))
    built_in, foreign = _frozen_importlib.BuiltinImporter, _frozen_importlib_external.ExtensionFileLoader
    # Their `__del__` only closes them, unless they have a `close` of their own.
    harmless = frozenset(map(id, (_io.StringIO, _io.BytesIO)))
    # Before 3.10 what they raise is not shown as at the end; since 3.12 some things are refused there.
    may_run_exits = (3, 10) <= sys.version_info < (3, 12)
    register, trace, profile = atexit.register, sys.settrace, sys.setprofile
    # Called one after the other by native code, which no profile sees.
    exiting = atexit._run_exitfuncs, gc.isenabled, gc.disable, sys.gettrace, sys.getprofile
    exiting_collected = gc.enable, *exiting

    def __init__(self):
        self.namespace_of, self.bases_of, self.flags_of = (
            type.__dict__[name].__get__ for name in ("__dict__", "__mro__", "__flags__")
        )
        self.names_of = self.module.__dict__["__dict__"].__get__
        self.callback_of = self.reference.__dict__["__callback__"].__get__
        self.streams, self.filters = (sys.stdin, sys.stdout, sys.stderr), _warnings.filters
        self.filtered = list(self.filters)
        self.hooks = gc.callbacks, gc.garbage
        self.library = sys.modules["encodings"].__file__.rpartition("encodings/")[0]
        # Whose callbacks of weak references only take these out of collections of their own.
        files = "weakref.py", "_weakrefset.py", "logging/__init__.py"
        self.tidying = frozenset([self.library + file for file in files])
        self.tidiers = frozenset(("remove", "_remove", "_removeHandlerRef"))
        self.collecting, self.call = False, self.native_function.__call__
        self.off = b"LD_PRELOAD" in posix.environ  # a library that may want to see exit()
        if not self.off:
            self.freeze()
        self.oldest, self.first = [], self.blocks()

    def read(self, source):
        """Looks at the program, before it runs. Whether it looks closely itself."""
        if self.any(word in source for word in self.sees):
            self.off = True
            self.unfreeze()
        return self.off

    def stay(self):
        """The interpreter ends on its own, and sees every object."""
        if not self.off:
            self.unfreeze()

    def leave(self, code):
        """Ends with this code, or comes back where the interpreter has to end on its own. Exit functions may have
        run by then; that they do once."""
        if self.off:
            return
        # Garbage is dropped where the interpreter does it, not for what is needed here.
        self.collecting = self.enabled()
        self.disable()
        try:
            if self.is_plain() and self.is_alone() and self.has_run_exits():
                if self.blocks() - self.first < self.most and not self.is_anything_due() and self.are_flushed():
                    self.leave_now(code)
        except self.changed:
            pass  # a module or stream is not what it was, or there is no room to look
        finally:
            self.unfreeze()
            if self.collecting:
                self.enable()

    def is_plain(self):
        """Whether the interpreter is as it was before the program."""
        interpreter, warnings = self.sys, self.modules.get("warnings", self.warned)
        stdin, stdout, stderr = self.streams
        return (
            interpreter.stdin is interpreter.__stdin__ is stdin
            and interpreter.stdout is interpreter.__stdout__ is stdout
            and interpreter.stderr is interpreter.__stderr__ is stderr
            and interpreter.modules is self.modules
            and not self.any(self.hooks)
            and not self.debug()
            and self.recursion() >= self.limit  # exit functions are called from further down
            and self.kind_of(warnings) is self.module
            and warnings.filters is self.warned.filters is self.filters
            and self.list(self.map(self.id, self.filters)) == self.list(self.map(self.id, self.filtered))
            # Without pairs, which the collector would count.
            and not self.any(self.map(self.is_unknown, self.list(self.modules), self.list(self.modules.values())))
        )

    def is_unknown(self, name, loaded):
        """Whether a module is native, and none of those that are known to leave nothing behind."""
        if not self.issubclass(self.kind_of(loaded), self.module):
            return False
        names = self.names_of(loaded)
        loader = names.get("__loader__")
        if loader is self.built_in:
            return name not in self.native
        if not self.issubclass(self.kind_of(loader), self.foreign):
            return False
        return name not in self.native or not names["__file__"].startswith(self.library)

    def is_alone(self):
        """Whether no other thread runs and nothing waits for the end of threads, which `threading` then knows to
        have come."""
        if self.threads._count():
            return False
        threading = self.modules.get("threading")
        if threading is None:
            return True
        if self.kind_of(threading) is not self.module:
            return False
        shutdown = threading._shutdown
        if self.kind_of(shutdown) is not self.function or shutdown.__globals__ is not self.names_of(threading):
            return False
        if shutdown.__code__.co_name != "_shutdown" or threading._threading_atexits:
            return False
        if threading._main_thread.ident != self.threads.get_ident():
            return False
        shutdown()  # the second time, which is the interpreter's, it does nothing
        return True

    def has_run_exits(self):
        if not self.exits._ncallbacks():
            return True
        if not self.may_run_exits:
            return False
        steps = self.exiting_collected if self.collecting else self.exiting
        *_, self.collecting, _, trace, profile = self.map(self.call, steps)
        # What an exit function has begun to watch with sees nothing of this. It goes on where the interpreter runs
        # exit functions.
        for watch, watcher in (self.profile, profile), (self.trace, trace):
            if watcher is not None:
                _, = self.map(watch, (None,))
                self.register(watch, watcher)
        if trace is not None or profile is not None:
            return False
        return self.is_plain() and not self.threads._count()

    def is_anything_due(self):
        """Whether an object is left that does something when it is dropped."""
        objects = self.objects()
        if self.id(self.oldest) not in self.map(self.id, objects):
            return True  # the program has taken objects out of sight
        kinds = self.map(self.kind_of, objects)
        special = self.set()
        # By their ids, as a class may say that it is equal to another.
        for number, kind in self.dict(self.zip(self.map(self.id, self.map(self.kind_of, objects)), kinds)).items():
            if number not in self.harmless and self.acts(kind):
                return True
            if number in self.harmless or number in self.proxies or self.issubclass(kind, self.looked_at):
                special.add(number)
        numbers = self.map(self.id, self.map(self.kind_of, objects))
        return self.any(self.is_due(found) for found, number in self.zip(objects, numbers) if number in special)

    def acts(self, kind):
        return self.any("__del__" in self.namespace_of(base) for base in self.bases_of(kind))

    def is_due(self, found):
        """Of a class whether it has objects that the collector does not know and that act, of a module whether it is
        unknown, of a weak reference whether it calls what is not the library's own."""
        kind = self.kind_of(found)
        if self.id(kind) in self.harmless:
            return found.__dict__ != {}
        if self.id(kind) in self.proxies:
            return self.referents(found) != []  # its callback
        if self.issubclass(kind, self.module):
            return self.is_unknown(self.names_of(found).get("__name__"), found)
        if self.issubclass(kind, self.kind_of):
            return not self.flags_of(found) & self.has_gc and self.acts(found)
        callback = self.callback_of(found)
        if callback is None:
            return False
        if self.kind_of(callback) is self.native_function:
            # Those that abstract classes and the storage of threads hang on themselves belong to such a reference.
            return self.kind_of(callback.__self__) is not self.reference
        if self.kind_of(callback) is not self.function or callback.__code__.co_filename not in self.tidying:
            return True
        return callback.__code__.co_name not in self.tidiers

    def are_flushed(self):
        for stream in self.streams[1:]:
            if stream is None or stream.closed:
                continue
            if stream.__dict__.keys() - self.names:
                return False  # with methods of the program's own
            try:
                stream.flush()
            except self.broken:
                return False  # it fails again, and that is shown, where the interpreter does it
        return True
