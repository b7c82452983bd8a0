"""Loads packages ahead, in a sandbox that is copied then: what a tenant's programs import of its own.

runner.py reads this file where the host asks for that; it is no module. As ahead.py, which it builds on, it leaves a
program what it would have found where nothing was loaded. A package does more as it is loaded than the library does:
what can be told apart and done again is done again when the program imports the module that did it; a module that
asked for something that may be another in the program's process is looked for as ever; and where neither is possible
the process ends, by a code that says why. Then there is nothing to copy, and programs load their packages themselves.

What packages do is not believed to be harmless here: this is inside of a sandbox like any program, and whoever copies
it looks for himself.
"""

import _frozen_importlib
import _frozen_importlib_external
import _signal
import gc
import posix
import sys

PACKAGES = "/packages"
STATUS = "/proc/self/"
# What the process ends with.
FAILED, CHANGED, THREADS, OPEN = 81, 82, 83, 84
# Nobody imports these on purpose, and wheels bring them by mistake.
NOT_IMPORTED = "docs", "examples", "test", "tests"
# Of the interpreter's modules, and what changes in them as modules are loaded.
RESTLESS = """
__main__ _frozen_importlib _frozen_importlib_external importlib._bootstrap sys atexit builtins
""".split()
LEFT_BEHIND = "__warningregistry__", "last_type", "last_value", "last_traceback"
FOLDERS = "/workspace", "/tmp", "/code", "/dev/shm"


class Unfit(BaseException):
    """Why this process is not to be copied: a code and a text."""


def content_of(path):
    try:
        file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        pieces = []
        while piece := posix.read(file, 1 << 20):
            pieces.append(piece)
        return b"".join(pieces).decode("utf-8", "replace")
    finally:
        posix.close(file)


def plain_name(name):
    """As pip compares names."""
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def modules_of(distributions):
    """The topmost modules of distributions, in the order of these."""
    listed, wanted = posix.listdir(PACKAGES), list(map(plain_name, distributions))
    found = {}
    for entry in sorted(listed):
        if entry.endswith(".dist-info"):
            found[plain_name(entry[: -len(".dist-info")].rpartition("-")[0])] = entry
    names = {}
    for distribution in wanted:
        info = found.get(distribution)
        if info is None:
            continue
        top = content_of("%s/%s/top_level.txt" % (PACKAGES, info)).split()
        recorded = modules_recorded(content_of("%s/%s/RECORD" % (PACKAGES, info)).splitlines())
        own = info[: -len(".dist-info")].rpartition("-")[0]  # where neither says anything
        names.update(dict.fromkeys(recorded or top or ([own] if {own, own + ".py"} & set(listed) else [])))
    return [name for name in names if is_name(name)]


def is_name(name):
    return all(part.isidentifier() for part in name.split(".")) and name not in NOT_IMPORTED


def modules_recorded(lines):
    """The modules in a list of files that are in no other package; what only holds packages is none itself."""
    suffixes = _frozen_importlib_external._get_supported_file_loaders()
    suffixes = sorted([each for _, group in suffixes for each in group], key=len, reverse=True)
    packages, alone = set(), []
    for line in lines:
        path = line.rpartition(",")[0].rpartition(",")[0].strip('"')
        suffix = next((suffix for suffix in suffixes if path.endswith(suffix)), None)
        if suffix is None or path.startswith(("/", "..")):
            continue
        *folders, name = path[: -len(suffix)].split("/")
        if name == "__init__" and folders:
            packages.add(tuple(folders))
        elif not folders:
            alone.append(name)
    topmost = [each for each in packages if not any(each[:length] in packages for length in range(1, len(each)))]
    return alone + [".".join(each) for each in sorted(topmost)]


class Asked(dict):
    """The environment's variables, and by which module they are asked for as it is loaded."""

    def __init__(self, variables, note):
        super().__init__(variables)
        self.note = note

    def __getitem__(self, key):
        self.note(key)
        return super().__getitem__(key)

    def __contains__(self, key):
        self.note(key)
        return super().__contains__(key)

    def __iter__(self):
        self.note(None)
        return super().__iter__()

    def __len__(self):
        self.note(None)
        return super().__len__()

    def items(self):
        self.note(None)
        return super().items()


class Arguments(list):
    """The program's, which are not known here."""

    def __init__(self, words, note):
        super().__init__(words)
        self.note = note

    def __getitem__(self, at):
        self.note()
        return super().__getitem__(at)

    def __iter__(self):
        self.note()
        return super().__iter__()

    def __len__(self):
        self.note()
        return super().__len__()


class Packages:
    """What was loaded of packages, and what that did."""

    def __init__(self, ahead):
        self.ahead, self.system, self.posix = ahead, sys, posix
        self.modules, self.interpreter = sys.modules, _frozen_importlib
        self.path = [folder for folder in sys.path if folder != "/workspace"]
        self.os, self.logging = ahead.known["os"], ahead.known["logging"]
        self.random, self.warnings = ahead.known["random"], ahead.known["warnings"]
        self.placeholder = self.logging.PlaceHolder
        self.loading = [None]
        self.done = []  # (module, method, what), in the order in which it was done
        self.asked = {}  # by module: the variables, and what they were
        self.never = set()  # modules that saw what is another in each process
        self.natives, self.own, self.numbers = set(), set(), []
        self.folders = tuple(folder + "/" for folder in self.path if folder not in ahead.library)
        self.names_before, self.problem = set(ahead.known), None

    def prepare(self, distributions):
        """Loads them, or ends the process."""
        try:
            self.load(modules_of(distributions))
        except BaseException as error:
            code, text = error.args if type(error) is Unfit else (FAILED, "%s: %s" % (type(error).__name__, error))
            posix.write(2, ("runner: the packages are not loaded ahead: %s\n" % text).encode("utf-8", "replace")[:1000])
            posix._exit(code)

    def load(self, names):
        ahead = self.ahead
        ahead.stand_aside()
        ahead.aside, ahead.packages = False, self
        before = self.state()
        self.put_back()

        def load():
            self.wrap()
            try:
                for name in names:
                    __import__(name)
            finally:
                self.unwrap()

        ahead.watch(load)
        if self.problem is not None:
            raise self.problem
        ssl = ahead.known.get("_ssl")
        if ssl is not None:
            ssl.RAND_bytes(1)  # that it has numbers takes a millisecond, once
        gc.collect()  # what is dropped then is dropped here
        for stream in sys.stdout, sys.stderr:
            stream.flush()
        for name in ahead.known:
            if name not in self.names_before:
                self.sort(name)
        self.compare(before, self.state())
        self.is_alone()
        for name in self.never:
            if name in ahead.known and self.has_natives(ahead.needed(name)):
                raise Unfit(CHANGED, "%s was told what is another in each process" % name)
        ahead.due["numpy.random.mtrand"] = lambda module: module.seed()

    def put_back(self):
        """What is loaded ahead of any call is there for the packages."""
        ahead = self.ahead
        ahead.name_bootstrap(None)
        for name, module in ahead.known.items():
            if name not in self.modules:
                self.modules[name] = module
                if name in ahead.children:
                    parent, _, child = name.rpartition(".")
                    setattr(ahead.known[parent], child, module)

    def sort(self, name):
        """Says of what was loaded whether it is a package's, and whether it may be made only once."""
        spec = getattr(self.ahead.known[name], "__spec__", None)
        folders = getattr(spec, "submodule_search_locations", None)
        # Of a package in several folders, as they were when it was loaded.
        folders = getattr(folders, "_path", () if folders is None else folders)
        places = [getattr(spec, "origin", None), *folders]
        if any(type(place) is str and place.startswith(self.folders) for place in places):
            self.own.add(name)
            if places[0] is not None and places[0].endswith(".so"):
                self.natives.add(name)
        if "__main__" in self.ahead.imports.get(name, ()):
            self.never.add(name)

    # While they are loaded.

    def wrap(self):
        interpreter, imports = self.interpreter, self.ahead.imports
        self.plain = find, load = interpreter._find_and_load, interpreter._load_unlocked
        self.filters = self.seen_filters = list(self.warnings.filters)
        self.finders = self.seen_finders = list(sys.meta_path)
        self.loggers = self.seen_loggers = dict(self.logging.root.manager.loggerDict)
        self.loaded, self.seen_modules = set(), set(self.modules)
        self.contents = {name: dict(vars(module)) for name, module in self.library()}
        self.seen_contents = dict(self.contents)
        self.drawn = self.random._inst.getstate()
        seed = self.seed = self.random.Random.seed

        def _find_and_load(name, import_):
            if self.ahead.loads:
                imports.setdefault(self.loading[-1], {})[name] = None
            return find(name, import_)

        def _load_unlocked(spec):
            self.settle()
            self.loading.append(spec.name)
            self.loaded.add(spec.name)
            first = len(self.done)
            try:
                module = load(spec)
            except BaseException:
                # What it did is of those who went on without it.
                self.settle()
                outer = self.loading[-2]
                self.done[first:] = [(outer if by == spec.name else by, do, what) for by, do, what in self.done[first:]]
                raise
            else:
                self.settle()
            finally:
                self.loading.pop()
            return module

        def seeded(numbers, *given, **named):
            if not named and (not given or given[0] is None):
                self.numbers.append(numbers)
            else:
                self.numbers[:] = [each for each in self.numbers if each is not numbers]
            return seed(numbers, *given, **named)

        interpreter._find_and_load, interpreter._load_unlocked = _find_and_load, _load_unlocked
        self.random.Random.seed = seeded
        self.variables, self.arguments = self.os.environ._data, sys.argv
        self.found = dict(self.variables)
        self.os.environ._data = self.os.environb._data = Asked(self.variables, self.note_variable)
        sys.argv = Arguments(sys.argv, self.note_arguments)

    def unwrap(self):
        self.interpreter._find_and_load, self.interpreter._load_unlocked = self.plain
        self.random.Random.seed = self.seed
        asked, given = self.os.environ._data, sys.argv
        is_same = dict.__eq__(asked, self.found) and self.variables == self.found == posix.environ
        is_same = is_same and list.__eq__(given, self.arguments)
        self.os.environ._data = self.os.environb._data = self.variables
        sys.argv = self.arguments
        if not is_same:
            self.give_up("the environment or the arguments were changed")
        # It is done again by those who import it.
        self.warnings.filters[:] = self.filters
        self.warnings._filters_mutated()
        sys.meta_path[:] = self.finders
        for name, module in self.library():
            self.change_back(name, vars(module), self.contents[name])
        loggers = self.logging.root.manager.loggerDict
        for name in [*loggers]:
            if name not in self.loggers:
                del loggers[name]
        if loggers != self.loggers:
            self.give_up("a logger of the library's was changed")

    def library(self):
        """The modules that were there before, which a package may change."""
        known = self.ahead.known
        return [(name, known[name]) for name in self.names_before if name not in RESTLESS]

    def change_back(self, owner, names, before):
        for name in [*names]:
            if name not in before and name not in LEFT_BEHIND:
                # What is put there as a module is loaded is taken out with it.
                if self.modules.get("%s.%s" % (owner, name)) is not names[name]:
                    del names[name]
        for name, value in before.items():
            if names.get(name, self) is not value:
                names[name] = value

    def give_up(self, text):
        """Said later: a package would catch it."""
        self.problem = self.problem or Unfit(CHANGED, text)

    def note_variable(self, key):
        asked = self.asked.setdefault(self.loading[-1], {})
        asked[key] = None if key is None else self.found.get(key)

    def note_arguments(self):
        self.never.add(self.loading[-1])

    def settle(self):
        """What was done since it was looked last is of the module that is loaded now."""
        module = self.loading[-1]
        new = []
        for name in reversed(self.modules):
            if name in self.seen_modules:
                break
            new.append(name)
        self.seen_modules.update(new)
        for name in reversed(new):
            if name not in self.loaded and module is not None:
                self.ahead.imports.setdefault(module, {})[name] = None  # put there by itself
        if self.random._inst.getstate() != self.drawn:
            self.drawn = self.random._inst.getstate()
            self.never.add(module)
        for name, changed in self.library():
            before, now = self.seen_contents[name], vars(changed)
            if len(before) != len(now) or [*map(id, before.values())] != [*map(id, now.values())]:
                self.seen_contents[name] = dict(now)
                if before.keys() - now.keys():
                    self.give_up("a name of %s was removed" % name)
                for each, value in now.items():
                    if before.get(each, self) is not value and each not in LEFT_BEHIND:
                        if self.modules.get("%s.%s" % (name, each), self) is not value:
                            self.done.append((module, self.change, (name, each, value)))
        now, before = list(self.warnings.filters), self.seen_filters
        if now != before:
            self.seen_filters = now
            front, back = self.added(before, now)
            self.done += [(module, self.filter_first, each) for each in reversed(front)]
            self.done += [(module, self.filter_last, each) for each in back]
        now, before = list(sys.meta_path), self.seen_finders
        if now != before:
            self.seen_finders = now
            if now[: len(before)] != before:
                self.give_up("a finder was put before those of the interpreter")
            self.done += [(module, self.find_last, each) for each in now[len(before) :]]
        loggers, before = self.logging.root.manager.loggerDict, self.seen_loggers
        if loggers != before:
            self.seen_loggers = dict(loggers)
            for name, logger in loggers.items():
                if before.get(name) is not logger and type(logger) is not self.placeholder:
                    self.done.append((module, self.log, logger))

    def added(self, before, now):
        """What stands before and behind the filters that were there. One that is given again comes to the front."""
        moved = [each for each in now if each not in before]
        for at in range(len(now) + 1):
            rest = [each for each in before if each not in now[:at]]
            if now[at : at + len(rest)] == rest and len(now) - len(rest) - at <= len(moved):
                return now[:at], now[at + len(rest) :]
        self.give_up("filters of warnings were removed")
        return [], []

    # What is to be the same afterwards.

    def state(self):
        """What packages have no business to change, by name."""
        known = self.ahead.known
        state = {
            "%s.%s" % (name, each): value
            for name, module in [*self.library(), ("sys", sys), ("builtins", known["builtins"])]
            for each, value in vars(module).items()
            if each not in LEFT_BEHIND
        }
        for number in _signal.valid_signals():
            state["the handler of signal %d" % number] = _signal.getsignal(number)
        for name, values in (
            ("sys.path", sys.path),
            ("sys.path_hooks", sys.path_hooks),
            ("sys.warnoptions", sys.warnoptions),
            ("sys.flags", (sys.getrecursionlimit(), sys.getswitchinterval(), sys.getprofile(), sys.gettrace())),
            ("gc", (*gc.get_threshold(), gc.get_debug(), gc.isenabled(), *gc.callbacks)),
            ("the level of logging", (self.logging.root.level, self.logging.root.manager.disable)),
            ("a handler of logging", self.logging.root.handlers),
            ("the names of logging", self.logging._levelToName.items()),
            ("the directory", [posix.getcwd()]),
        ):
            state[name] = [*values]
        for folder in FOLDERS:
            try:
                state["files in " + folder] = sorted(posix.listdir(folder))
            except OSError:
                pass
        mask = posix.umask(0o77)
        posix.umask(mask)
        state["umask"] = [mask]
        return state

    def compare(self, before, now):
        for name in before.keys() | now.keys():
            one, other = before.get(name, self), now.get(name, self)
            if one is not other and not (type(one) is type(other) is list and one == other):
                raise Unfit(CHANGED, "%s was changed" % name)

    def is_alone(self):
        if len(posix.listdir(STATUS + "task")) != 1 or self.modules["_thread"]._count():
            raise Unfit(THREADS, "a thread was started")
        try:
            posix.waitpid(-1, posix.WNOHANG)
            raise Unfit(THREADS, "a process was started")
        except ChildProcessError:
            pass
        for number in posix.listdir(STATUS + "fd"):
            try:
                if int(number) > 3 and posix.fstat(int(number)):
                    raise Unfit(OPEN, "descriptor %s was left open" % number)
            except OSError:  # that of the list itself
                pass
        for line in content_of(STATUS + "maps").splitlines():
            if line.split()[1][1] == "w" and line.split()[1][3] == "s":
                raise Unfit(OPEN, "memory is shared")

    # In a copy.

    def go_on(self):
        """What is to be another in each copy. OpenSSL takes its own from what it was started with."""
        for numbers in self.numbers:
            self.seed(numbers)
        ssl = self.ahead.known.get("_ssl")
        if ssl is not None:
            ssl.RAND_add(posix.urandom(64), 64.0)

    def path_for(self, needs):
        """The folders in which what is needed is looked for last."""
        return self.path if not self.own.isdisjoint(needs) else self.ahead.library

    def are_as_loaded(self, needs):
        """Whether all of it found what it would find now."""
        given, variables = self.ahead.given, self.os.environ._data
        for name in needs:
            if name in given:
                continue
            if name in self.never:
                return False
            for key, value in self.asked.get(name, {}).items():
                if (variables if key is None else variables.get(key)) != (self.found if key is None else value):
                    return False
        loggers = self.logging.root.manager.loggerDict
        return not any(
            do == self.log and by in needs and type(loggers.get(what.name, what)) is not self.placeholder
            and loggers.get(what.name, what) is not what
            for by, do, what in self.done
        )

    def repeat(self, needs):
        """Does what the modules did that are given now, in the order in which they did it."""
        if not self.done:
            return
        needs, done, self.done = set(needs), self.done, []
        for each in done:
            by, do, what = each
            if by in needs:
                do(what)
            else:
                self.done.append(each)

    def change(self, what):
        name, each, value = what
        names = vars(self.ahead.known[name])
        names[each] = value
        self.ahead.contents[name] = [*names.values()]

    def filter_first(self, item):
        filters = self.warnings.filters
        if item in filters:
            filters.remove(item)
        filters.insert(0, item)
        self.warnings._filters_mutated()

    def filter_last(self, item):
        if item not in self.warnings.filters:
            self.warnings.filters.append(item)
            self.warnings._filters_mutated()

    def find_last(self, finder):
        self.system.meta_path.append(finder)
        self.ahead.plain[0].append(finder)

    def log(self, logger):
        manager = self.logging.root.manager
        before = manager.loggerDict.get(logger.name)
        if before is logger:
            return
        manager.loggerDict[logger.name] = logger
        if before is not None:
            manager._fixupChildren(before, logger)
        manager._fixupParents(logger)

    def has_natives(self, needs):
        return not self.natives.isdisjoint(needs)

    def give_anyway(self, name):
        """Native modules can be made once in a process, and what belongs to them neither. What needs one is given
        where a program watches its imports, too; what it would find was looked at before it began."""
        needs = self.ahead.needs_of(name)
        if not self.has_natives(needs):
            return False
        for each in needs:
            if each not in self.ahead.given and each in self.ahead.known and each not in self.modules:
                self.ahead.put(each)
        self.repeat(needs)
        return True

    def suit(self):
        """Whether a program finds in this process what it would find in one of its own, as far as that can be told
        before it runs. Where all can be loaded anew it is told later."""
        names = self.ahead.names_before(self.path)
        needs = {each.partition(".")[0] for name in self.own for each in self.ahead.needed(name)} if names else ()
        return names is not None and names.isdisjoint(needs) and not any(
            (self.variables if key is None else self.variables.get(key)) != (self.found if key is None else value)
            for asked in self.asked.values()
            for key, value in asked.items()
        )
