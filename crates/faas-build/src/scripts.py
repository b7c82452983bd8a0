"""Runs the install scripts of npm packages, and packs what they leave.

Code of the packages runs here, in a sandbox that reaches nothing, so nothing that comes out of it is believed
by whoever reads it. The arguments are a list of archives, each with its place and the places of the packages
in it that have scripts, and the file for what is left: every file of those archives, and every other that is
new or was changed.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import zlib

ROOT = "/tmp/tree"
TOOLS = "/tmp/tools"
EVENTS = ("preinstall", "install", "postinstall")
# What scripts may say, and what they may leave.
MOST_SAID = 8 << 20
MOST_LEFT = 512 << 20
# Debian has a program of that name; elsewhere npm brings it along.
GYP = "/usr/lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js"
# The headers of the interpreter, which node-gyp would fetch otherwise.
HEADERS = "/usr/include/node/node.h"


def fail(words):
    sys.exit("ERROR: " + words)


@contextlib.contextmanager
def doing(failed):
    """What packages are made of may make anything fail, and is then said in a line."""
    try:
        yield
    except (OSError, ValueError, RecursionError, EOFError, tarfile.TarError, zlib.error) as error:
        fail("%s: %s" % (failed, error))


def say(words):
    # Text of JSON and names of files need not be text of UTF-8.
    print(words.encode("utf-8", "replace").decode(), flush=True)


def unpack(archive, place):
    """Lays a package out; gives the paths of its files."""
    paths = []
    with tarfile.open(archive, "r:gz") as tar:
        for entry in tar:
            _, slash, inner = entry.name.removeprefix("./").partition("/")
            if not slash or not entry.isfile():
                continue
            path = os.path.join(ROOT, place, inner)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                shutil.copyfileobj(tar.extractfile(entry), file)
            os.chmod(path, 0o755 if entry.mode & 0o111 else 0o644)
            paths.append(path)
    return paths


def manifest(place):
    try:
        with open(os.path.join(ROOT, place, "package.json"), encoding="utf-8-sig") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def member(found, name):
    """A member that is to be a dictionary."""
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def link(place):
    """Makes the programs of a package such that scripts find them."""
    found = manifest(place)
    programs = found.get("bin")
    if isinstance(programs, str):
        programs = {str(found.get("name")).rpartition("/")[2]: programs}
    directory = os.path.join(ROOT, place[: place.rindex("node_modules/")], "node_modules/.bin")
    for name, path in programs.items() if isinstance(programs, dict) else ():
        try:
            program = os.path.realpath(os.path.join(ROOT, place, str(path)))
            if "/" in name or not program.startswith(ROOT) or not os.path.isfile(program):
                continue
            os.makedirs(directory, exist_ok=True)
            os.chmod(program, 0o755)
            if not os.path.lexists(os.path.join(directory, name)):
                os.symlink(program, os.path.join(directory, name))
        except (OSError, ValueError) as error:
            say("%s has a program that cannot be made one: %s" % (place, error))


def above(place):
    """A place, and those that it lies in."""
    while place:
        yield place
        place = place.rpartition("/node_modules/")[0]


def needs(place):
    """The places of the packages that the one in a place depends on."""
    found = manifest(place)
    for kind in ("dependencies", "optionalDependencies", "peerDependencies"):
        for name in member(found, kind):
            for base in (*above(place), ""):
                candidate = os.path.join(base, "node_modules", name)
                if os.path.isdir(os.path.join(ROOT, candidate)):
                    yield candidate
                    break


def in_order(places):
    """The places, each after those that it depends on, as far as they do not depend on each other."""
    ordered, seen = [], set()
    for place in places:
        # A list and no recursion: how long a chain is is the packages' choice.
        chain = [] if place in seen else [(place, needs(place))]
        seen.add(place)
        while chain:
            last, others = chain[-1]
            other = next((other for other in others if other not in seen), None)
            if other is None:
                ordered.append(last)
                chain.pop()
            else:
                seen.add(other)
                chain.append((other, needs(other)))
    return [place for place in ordered if place in places]


def scripts(place):
    """What a package runs when it is installed."""
    found = manifest(place)
    own = member(found, "scripts")
    own = {event: own[event] for event in EVENTS if isinstance(own.get(event), str) and own[event]}
    is_built = os.path.isfile(os.path.join(ROOT, place, "binding.gyp")) and found.get("gypfile") is not False
    if is_built and "preinstall" not in own and "install" not in own:
        own["install"] = "node-gyp rebuild"
    return [(event, own[event]) for event in EVENTS if event in own]


def tools():
    """Makes node-gyp a program."""
    os.makedirs(TOOLS)
    if not os.path.exists("/usr/bin/node-gyp") and os.path.exists(GYP):
        os.symlink(GYP, os.path.join(TOOLS, "node-gyp"))


def environment(place, event, script):
    """What npm tells a script, and that there is no network."""
    found = manifest(place)
    programs = [os.path.join(ROOT, base, "node_modules/.bin") for base in (*above(place), "")]
    return {
        **os.environ,
        "PATH": ":".join([*programs, TOOLS, os.environ["PATH"]]),
        "TMPDIR": "/tmp",
        "INIT_CWD": ROOT,
        "NODE": "/usr/bin/node",
        "npm_command": "rebuild",
        "npm_execpath": os.path.realpath("/usr/bin/npm"),
        "npm_node_execpath": "/usr/bin/node",
        "npm_lifecycle_event": event,
        "npm_lifecycle_script": script,
        "npm_package_json": os.path.join(ROOT, place, "package.json"),
        "npm_package_name": str(found.get("name")),
        "npm_package_version": str(found.get("version")),
        "npm_config_user_agent": "npm",
        "npm_config_offline": "true",
        "npm_config_registry": "http://localhost:9/",
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
        "npm_config_cache": "/tmp/home/npm",
        "npm_config_devdir": "/tmp/home/node-gyp",
        "npm_config_userconfig": "/tmp/home/none",
        "npm_config_globalconfig": "/tmp/home/no",
        **({"npm_config_nodedir": "/usr"} if os.path.exists(HEADERS) else {}),
    }


class Script:
    """One that runs."""

    said = 0

    def __init__(self, place, event, script):
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", script],
            cwd=os.path.join(ROOT, place),
            env=environment(place, event, script),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self.pass_on, daemon=True)
        self.reader.start()

    def pass_on(self):
        for piece in iter(lambda: self.process.stdout.readline(1 << 16), b""):
            Script.said += len(piece)
            if Script.said > MOST_SAID:
                self.process.kill()
                return
            sys.stdout.buffer.write(piece)
            sys.stdout.flush()

    def end(self):
        """Its status, once all that it started has ended."""
        status = self.process.wait()
        end_others()
        self.reader.join(10)
        return status


def end_others():
    """Ends whatever a script left running."""
    spared = {1, os.getpid(), os.getppid()}
    for _ in range(20):
        others = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in spared]
        if not others:
            return
        for other in others:
            try:
                os.kill(other, signal.SIGKILL)
            except OSError:
                pass


def run(place):
    for event, script in scripts(place):
        say("%s: %s: %s" % (place, event, script))
        with doing("%s of %s cannot be run" % (event, place)):
            status = Script(place, event, script).end()
        if Script.said > MOST_SAID:
            fail("the scripts said more than 8Mi, the last of them %s of %s" % (event, place))
        if status:
            how = "signal %d" % -status if status < 0 else "status %d" % status
            fail("%s of %s ended with %s" % (event, place, how))


def state(path):
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_mode, found.st_ino, found.st_size, found.st_ctime_ns


def left(directory):
    """Every path beneath a directory; programs for scripts are not what is installed."""
    # A list and no recursion: how deep it is is the scripts' choice.
    waiting = [directory]
    while waiting:
        directory = waiting.pop()
        for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
            if not entry.is_dir(follow_symlinks=False):
                yield entry.path
            elif entry.name != ".bin" or os.path.basename(directory) != "node_modules":
                waiting.append(entry.path)


def pack(document, before):
    """Packs what is new or was changed: plain files, and those that links within the tree lead to."""
    top = os.path.join(ROOT, "node_modules")
    total = 0
    with tarfile.open(document, "w:gz", compresslevel=6, format=tarfile.GNU_FORMAT) as tar:
        for path in left(top):
            if before.get(path) == state(path):
                continue
            target = os.path.realpath(path)
            if not target.startswith(top + "/") or not os.path.isfile(target):
                say("%s is left out: it is no file, or leads to none of a package" % os.path.relpath(path, ROOT))
                continue
            with open(target, "rb") as file:
                found = os.fstat(file.fileno())
                total += found.st_size
                if total > MOST_LEFT:
                    fail("the scripts left more than 512Mi")
                entry = tarfile.TarInfo(os.path.relpath(path, ROOT))
                entry.size = found.st_size
                entry.mode = 0o755 if found.st_mode & 0o111 else 0o644
                tar.addfile(entry, file)


def main(tree, document):
    with open(tree, encoding="utf-8") as file:
        packages = json.load(file)
    before = {}
    for package in packages:
        with doing("%s cannot be laid out" % package["place"]):
            paths = unpack(package["archive"], package["place"])
        for path in paths:
            # One that lies in the place of another is that one's no more.
            before.pop(path, None)
            if not package["scripts"]:
                before[path] = None
    os.makedirs(os.environ["HOME"])
    tools()
    places = dict.fromkeys(place for package in packages for place in package["scripts"])
    for place in dict.fromkeys([*(package["place"] for package in packages), *places]):
        link(place)
    before = {path: state(path) for path in before}
    for place in in_order(places):
        run(place)
    with doing("what the scripts left cannot be packed"):
        pack(document, before)


if __name__ == "__main__":
    main(*sys.argv[1:])
