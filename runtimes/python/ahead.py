"""What a runner has ready before its call comes: modules of the standard library, out of the program's sight.

runner.py reads this file where it has to wait for its call; it is no module. A program must find what it would find
where nothing was loaded ahead: so the modules are not in `sys.modules`, and get there when the program imports them,
with all that their own imports would have brought there and in the same order. They are given only where the
imports would have found just them; else each module is looked for as ever. So it is for what the library finds in
`/workspace` before its own modules, for what the program replaced or changed, and where imports are observed.

Nothing is put into `sys.meta_path`: what is imported and not there yet passes through one function of the
interpreter's, before which this stands.
"""

import _frozen_importlib
import _frozen_importlib_external
import _imp
import atexit
import builtins
import gc
import posix
import sys

# What programs import most often, the most frequent first, and what takes long: all of it together 0.1 s and 10 MB,
# of which asyncio, that every asynchronous handler needs, takes the half and a quarter. Left out is what reads the
# environment or takes random numbers as it is loaded (`zoneinfo`, `multiprocessing`), what maps memory of its own
# (`ctypes`), and what needs a network, which few programs have (`http.client`, `urllib.request`).
NAMES = """
json os re datetime time math random collections functools itertools typing urllib.parse base64 hashlib io string
struct uuid traceback dataclasses enum copy contextlib pathlib threading logging decimal secrets hmac operator tempfile
shutil subprocess csv _strptime asyncio
"""

# The program's own, which change all the time.
CHANGING = "__main__", "builtins", "sys"


class Ahead:
    """The modules, and what each of them imports as it is loaded."""

    FILES = frozenset([".py", ".pyc", *_imp.extension_suffixes()])
    MOST_FILES = 1000  # of a folder that is searched before the library

    def __init__(self):
        self.modules = sys.modules
        self.plain = list(sys.meta_path), list(sys.path_hooks), builtins.__import__
        self.library, self.folders, self.importers = list(sys.path), dict(sys.path_importer_cache), sys.path_importer_cache
        self.system, self.builtins, self.posix, self.exits = sys, builtins, posix, atexit
        self.folder_finder = _frozen_importlib_external.FileFinder
        self.known, self.imports, self.needs, self.contents = dict(sys.modules), {}, {}, {}
        self.given = set(self.known)
        self.packages, self.loads, self.aside = None, False, False
        self.children = set()
        self.leaving, self.due = {}, {"random": self.seed, "logging": self.set_clock, "importlib": self.name_bootstrap}
        self.bare = {module: dict(vars(module)) for module in (_frozen_importlib, _frozen_importlib_external)}
        self.bootstrap = {}
        self.handler, self.interpreter, self.plain_find = None, _frozen_importlib, None
        self.load_unlocked = _frozen_importlib._load_unlocked.__code__

    def load(self, goes_on):
        """Loads what is wanted, as long as it goes on, and takes it out of sight."""

        def load():
            for name in NAMES.split():
                if not goes_on():
                    break
                try:
                    __import__(name)
                except ImportError:  # a distribution may leave some of the library out
                    pass

        self.watch(load)

    def watch(self, load):
        """Has something loaded, notes what that imports, and takes it out of sight."""
        collects, register = gc.isenabled(), atexit.register
        gc.disable()
        builtins.__import__, atexit.register = self.noting(builtins.__import__), self.noting_exits(register)
        self.loads = True
        try:
            load()
        finally:
            self.loads = False
            builtins.__import__, atexit.register = self.plain[2], register
            self.take_out()
            if collects:
                gc.enable()

    def noting(self, plain):
        """Imports as the interpreter does, and notes what each module imports while it is loaded."""

        def noted(name, names=None, local=None, wanted=(), level=0):
            if not self.loads:  # somebody has kept it
                return plain(name, names, local, wanted, level)
            loading = self.loading(sys._getframe(1))
            package = _frozen_importlib._calc___package__(names) if level else ""
            full = _frozen_importlib._resolve_name(name, package, level) if level else name
            imports = self.imports.setdefault(loading, {})
            if next(reversed(self.modules)).rpartition(".")[0] == loading:
                imports[next(reversed(self.modules))] = None  # put there by itself, as `os.path`
            imports[full] = None
            found = plain(name, names, local, wanted, level)
            for each in wanted or ():
                if full + "." + each in self.modules:
                    imports[full + "." + each] = None
            return found

        return noted

    def noting_exits(self, register):
        """An exit function is registered when its module is given."""

        def noted(function, *given, **named):
            if not self.loads:
                return register(function, *given, **named)
            self.leaving.setdefault(self.loading(sys._getframe(1)), []).append((function, given, named))
            return function

        return noted

    def loading(self, frame):
        """The module whose loading the frame belongs to."""
        while frame is not None:
            if frame.f_code is self.load_unlocked:
                return frame.f_locals["spec"].name
            frame = frame.f_back
        return None

    def take_out(self):
        loaded = [name for name in self.modules if name not in self.given]
        self.known.update((name, self.modules.pop(name)) for name in loaded)
        for name in loaded:
            parent, _, child = name.rpartition(".")
            if not parent:
                continue
            if getattr(getattr(self.known[name], "__spec__", None), "name", None) != name:
                self.imports.setdefault(parent, {})[name] = None  # put there by its parent
            elif parent in self.known and vars(self.known[parent]).get(child) is self.known[name]:
                self.children.add(name)
                delattr(self.known[parent], child)
        for name in loaded:
            if name not in self.needs:
                # Of a thousand modules of packages, each of which needs the others, it is told when it is asked.
                self.needs[name] = None if self.packages else tuple(self.needed(name))
        # `importlib` gives other names to those of which it is the face.
        for module, before in self.bare.items():
            names = vars(module)
            self.bootstrap[module] = {name: names[name] for name in names if names[name] is not before.get(name)}
            for name in self.bootstrap[module]:
                if name in before:
                    names[name] = before[name]
                else:
                    del names[name]
        for folder in [*self.importers]:
            if folder not in self.folders:
                del self.importers[folder]
        for name, module in self.known.items():
            if name not in CHANGING and module is not _frozen_importlib:
                self.contents[name] = [*vars(module).values()]

    def needed(self, name):
        """The names that are in `sys.modules` once one has been imported, in their order, and those that were
        looked for in vain."""
        needed, seen, open_ = [], set(), []

        def begin(name):
            parent = name.rpartition(".")[0]
            open_.append((name, None))
            if parent and parent not in seen:
                begin(parent)

        begin(name)
        while open_:
            name, imports = open_.pop()
            if imports is None:
                if name in seen:
                    continue
                seen.add(name)
                imports = iter(tuple(self.imports.get(name, ())))
            for each in imports:
                if each not in seen:
                    open_.append((name, imports))
                    begin(each)
                    break
            else:
                needed.append(name)
        return needed

    # While the program runs.

    def enter(self):
        """Has the program's imports come by here."""
        plain, give, needs, modules = self.interpreter._find_and_load, self.give, self.needs, self.modules

        give_anyway = self.packages.give_anyway if self.packages else None

        def _find_and_load(name, import_):
            if name in needs and name not in modules:
                if give(name) or give_anyway is not None and give_anyway(name):
                    return modules[name]
            return plain(name, import_)

        # Where something is raised the interpreter leaves out what is of this file of its own.
        code = plain.__code__
        _find_and_load.__code__ = _find_and_load.__code__.replace(co_filename=code.co_filename)
        self.interpreter._find_and_load, self.plain_find = _find_and_load, plain
        # In a copy of the process that loaded it the main thread is another one for the system.
        threading = self.known.get("threading")
        if threading is not None and hasattr(threading.main_thread(), "_native_id"):
            threading.main_thread()._set_native_id()

    def stand_aside(self):
        """Leaves the imports to the interpreter, for a program that looks closely."""
        self.aside = True
        if not (self.packages and self.packages.natives):
            self.interpreter._find_and_load = self.plain_find

    def give(self, name):
        """Puts a module, and what it needs, where the program finds it; False where that would not be the same.

        One thread at a time, by the lock that the interpreter itself holds around a fork: another thread would
        find some of what a package needs, and load the package anew around it. A signal's handler or a finalizer
        that imports while its own thread gives comes through, and finishes what was begun.
        """
        _imp.acquire_lock()
        try:
            return self.give_all(name)
        finally:
            _imp.release_lock()

    def give_all(self, name):
        if self.aside or not self.is_unobserved():
            return False
        needs, packages = self.needs_of(name), self.packages
        names = self.names_before(packages.path_for(needs) if packages else self.library)
        if names is None:
            return False
        for each in needs:
            if each.partition(".")[0] in names or not self.is_unchanged(each):
                return False
        if packages and not packages.are_as_loaded(needs):
            return False
        for each in needs:
            if each not in self.given and each in self.known:
                self.put(each)
        if packages:
            packages.repeat(needs)
        return True

    def needs_of(self, name):
        needs = self.needs[name]
        if needs is None:
            needs = self.needs[name] = tuple(self.needed(name))
        return needs

    def put(self, name):
        """Makes a module ready, and only then known: what another thread finds is whole."""
        module = self.known[name]
        prepare = self.due.get(name)
        if prepare is not None:
            prepare(module)
            self.due.pop(name, None)
        for function, given, named in self.leaving.pop(name, ()):
            self.exits.register(function, *given, **named)
        if name in self.children:
            parent, _, child = name.rpartition(".")
            setattr(self.known[parent], child, module)
        self.modules[name] = module
        self.given.add(name)

    def is_unobserved(self):
        system, (finders, hooks, import_) = self.system, self.plain
        return (
            system.modules is self.modules
            and system.meta_path == finders
            and system.path_hooks == hooks
            and self.builtins.__import__ is import_
            and system.gettrace() is None
            and system.getprofile() is None
        )

    def is_unchanged(self, name):
        """Whether a module is there that was given, or none is there yet, and what is in it is what was."""
        module = self.known.get(name)
        if name not in self.given:
            return self.modules.get(name, module) is module
        if self.modules.get(name) is not module:
            return False
        contents = self.contents.get(name)
        if contents is None:
            return True
        values = [*vars(self.known[name]).values()][: len(contents)]
        # By what they are: what equals what is a package's own affair.
        return [*map(id, values)] == [*map(id, contents)]

    def names_before(self, library):
        """The names of modules that may lie in folders searched before these; None where that cannot be told."""
        path = self.system.path
        names = set()
        for at, folder in enumerate(path):
            if folder == library[0]:
                return names if path[at : at + len(library)] == library else None
            if type(folder) is not str or not folder.startswith("/"):
                return None
            if type(self.importers.get(folder)) not in (type(None), self.folder_finder):
                return None
            try:
                files = self.posix.listdir(folder)
            except FileNotFoundError:
                continue
            except OSError:
                return None
            if len(files) > self.MOST_FILES:
                return None
            for file in files:
                stem, dot, rest = file.partition(".")
                if not dot or dot + rest in self.FILES:
                    names.add(stem)
        return None

    def seed(self, random):
        """As when it is loaded."""
        random.seed()

    def name_bootstrap(self, importlib):
        for module, names in self.bootstrap.items():
            vars(module).update(names)

    def set_clock(self, logging):
        """As when it is loaded: its records tell the time since then."""
        time = self.known["time"]
        logging._startTime = time.time() if isinstance(logging._startTime, float) else time.time_ns()
        self.contents["logging"] = [*vars(logging).values()]
