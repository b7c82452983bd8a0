"""What is measured: one row for each of ours and of the peers.

A row's `open` puts everything it starts on the stack and returns what is sampled: a function that runs
one program (ephemeral), or a URL (warm). It raises `Unavailable` where it cannot be had.
"""

import dataclasses
import functools
import os
import pathlib
import shutil
import typing

from .bundle import Bundle
from .docker import docker
from .ours import Asking, source
from .process import Daemon, Unavailable, checked, environment, free_port, timed

PYTHON = ["/usr/bin/python3", "-I", "-c", "print(1)"]
NODE = ["/usr/bin/node", "-e", "console.log(1)"]


@dataclasses.dataclass(frozen=True)
class Row:
    key: str
    title: str
    group: str
    language: str
    ours: bool
    open: typing.Callable


@dataclasses.dataclass
class Opened:
    """What is sampled, and the version of what does the work."""

    version: str
    sample: typing.Callable | None = None
    url: str | None = None
    starts: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Context:
    """What rows share: the cache, our server, a folder and a name of this run."""

    cache: typing.Any
    binary: pathlib.Path
    server: typing.Any
    sources: pathlib.Path
    folder: pathlib.Path
    name: str

    @functools.cached_property
    def handlers(self):
        return self.sources / "handlers"

    def own(self, key):
        folder = self.folder / key
        folder.mkdir()
        return folder

    @functools.cache
    def host(self, program):
        if not os.access(program, os.X_OK):
            raise Unavailable(f"no {program} on this host")
        return checked([program, "--version"], reason=f"{program} --version").split()[-1].lstrip("v")

    def __hash__(self):
        return id(self)


def floor(command):
    def open_row(context, _stack, key):
        folder = context.own(key)
        version = context.host(command[0])
        env = environment(folder)
        return Opened(version, lambda: timed(command, env, folder / "stderr"))

    return open_row


def over_http(body, expected):
    def open_row(context, stack, _key):
        asking = Asking(context.server.port, "POST", "/execute", body, expected)
        stack.callback(asking.close)
        return Opened(context.server.version, asking.sample, starts=asking.starts)

    return open_row


def handler_of(runtime, file, mode):
    """A function of ours; it is called by its own route."""

    def open_row(context, stack, key):
        code = source(context.handlers / file)
        # One instance for each processor, as the peers have.
        scaling = {"max": os.cpu_count()}
        context.server.deploy(key, runtime=runtime, code=code, mode=mode, routes=[f"GET:/{key}"], scaling=scaling)
        if mode == "cached":
            return Opened(context.server.version, url=f"http://127.0.0.1:{context.server.port}/{key}")
        asking = Asking(context.server.port, "GET", f"/{key}", None, b"hello")
        stack.callback(asking.close)
        return Opened(context.server.version, asking.sample)

    return open_row


def command_line(language, code):
    def open_row(context, _stack, key):
        folder = context.own(key)
        argv = [str(context.binary), "run", "--lang", language, "-c", code]
        env = environment(folder)
        return Opened(context.server.version, lambda: timed(argv, env, folder / "stderr"))

    return open_row


def bubblewrap(context, _stack, key):
    program, version = context.cache.debian("bubblewrap", "bwrap")
    folder = context.own(key)
    argv = [program, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
            "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
            "--symlink", "usr/bin", "/bin", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", *PYTHON]
    env = environment(folder)
    return Opened(version, lambda: timed(argv, env, folder / "stderr"))


def oci(package, program, options):
    def open_row(context, stack, key):
        if os.geteuid() != 0:
            raise Unavailable(f"{program} needs root as it is called here")
        path, version = context.cache.debian(package, program)
        folder = context.own(key)
        name = f"{context.name}-{key}"
        bundle = Bundle(path, options, PYTHON, name=name, folder=folder, env=environment(folder))
        return Opened(version, stack.enter_context(bundle).sample)

    return open_row


def container_engine(context, stack, key):
    folder, name = context.folder / key, f"{context.name}-{key}"
    sample, version = stack.enter_context(docker(context.cache, name=name, folder=folder, command=PYTHON))
    return Opened(version, sample)


def deno(context, _stack, key):
    program = context.cache.npm() / "@deno/linux-x64-glibc/deno"
    folder = context.own(key)
    script = folder / "one.js"
    script.write_text("console.log(1);\n")
    argv = [str(program), "run", "--quiet", "--no-prompt", "--no-config", "--no-lock", str(script)]
    env = environment(folder, DENO_DIR=str(folder / "cache"), DENO_NO_UPDATE_CHECK="1")
    version = checked([program, "--version"], reason="deno --version", env=env).split()[1]
    return Opened(version, lambda: timed(argv, env, folder / "stderr"))


def stays(context, stack, key, version, command, *, cwd=None, **more):
    """A server of a peer on a port of its own."""
    folder = context.own(key)
    port = free_port()
    argv = [str(word).replace("{port}", str(port)) for word in command]
    more = {name: value.replace("{port}", str(port)) for name, value in more.items()}
    daemon = stack.enter_context(Daemon(argv, env=environment(folder, **more), log=folder / "log", cwd=cwd))
    daemon.until_answers(port, "/")
    return Opened(version, url=f"http://127.0.0.1:{port}/")


def raw_limit(at_once):
    def open_row(context, stack, key):
        program = context.cache.built("limit")
        worker = context.sources / "raw/worker.py"
        version = f"Python {context.host('/usr/bin/python3')}"
        return stays(context, stack, key, version, [program, "{port}", "/usr/bin/python3", worker, at_once])

    return open_row


def framework_python(context, stack, key):
    programs = context.cache.pypi()
    # One process for each processor; threads, because gunicorn's other workers close every connection.
    command = [programs / "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", os.cpu_count(),
               "--worker-class", "gthread", "--threads", "8", "--keep-alive", "75", "--timeout", "0",
               "--no-control-socket", "functions_framework:create_app('handle', 'hello.py')"]
    version = f"{installed(programs, 'functions-framework')}, gunicorn {installed(programs, 'gunicorn')}"
    return stays(context, stack, key, version, command, cwd=context.handlers, PYTHONDONTWRITEBYTECODE="1")


def installed(programs, package):
    code = f"import importlib.metadata as m; print(m.version('{package}'))"
    return checked([programs / "python", "-c", code], reason=f"the version of {package}").strip()


def framework_node(context, stack, key):
    modules = context.cache.npm()
    context.host("/usr/bin/node")
    command = ["/usr/bin/node", modules / "@google-cloud/functions-framework/build/src/main.js",
               f"--source={context.handlers / 'framework'}", "--target=handle", "--port={port}"]
    version = package_version(modules / "@google-cloud/functions-framework")
    return stays(context, stack, key, version, command, NODE_ENV="production")


def workerd(context, stack, key):
    package = context.cache.npm() / "@cloudflare/workerd-linux-64"
    command = [package / "bin/workerd", "serve", context.handlers / "workerd.capnp",
               "--socket-addr", "http=127.0.0.1:{port}"]
    return stays(context, stack, key, package_version(package), command)


def package_version(folder):
    node = shutil.which("node")
    code = "console.log(require(process.argv[1] + '/package.json').version)"
    return checked([node, "-e", code, folder], reason=f"the version of {folder.name}").strip()


PRINT_PYTHON = {"code": "print(1)", "language": "python"}
PRINT_JAVASCRIPT = {"code": "console.log(1)", "language": "javascript"}
PRINTED = b'"stdout":"1\\n"'

# The first of ours of a group and language is what its peers are compared with.
ROWS = [
    Row("ours-script-python", "faas serve, script over HTTP", "ephemeral", "python", True,
        over_http(PRINT_PYTHON, PRINTED)),
    Row("ours-handler-python", "faas serve, handler over HTTP", "ephemeral", "python", True,
        handler_of("python", "hello.py", "ephemeral")),
    Row("ours-run-python", "faas run -c", "ephemeral", "python", True, command_line("python", "print(1)")),
    Row("python", "python3 -I -c, no sandbox", "ephemeral", "python", False, floor(PYTHON)),
    Row("bwrap", "bwrap python3", "ephemeral", "python", False, bubblewrap),
    Row("runc", "runc run", "ephemeral", "python", False, oci("runc", "runc", [])),
    Row("gvisor", "gVisor: runsc run, ptrace", "ephemeral", "python", False,
        oci("runsc", "runsc", ["--platform=ptrace", "--network=none"])),
    Row("docker", "docker run", "ephemeral", "python", False, container_engine),
    Row("ours-script-javascript", "faas serve, script over HTTP", "ephemeral", "javascript", True,
        over_http(PRINT_JAVASCRIPT, PRINTED)),
    Row("ours-handler-javascript", "faas serve, handler over HTTP", "ephemeral", "javascript", True,
        handler_of("javascript", "hello.js", "ephemeral")),
    Row("ours-run-javascript", "faas run -c", "ephemeral", "javascript", True,
        command_line("javascript", "console.log(1)")),
    Row("node", "node -e, no sandbox", "ephemeral", "javascript", False, floor(NODE)),
    Row("deno", "deno run", "ephemeral", "javascript", False, deno),
    Row("ours-warm-python", "faas serve, handler by its route", "warm", "python", True,
        handler_of("python", "hello.py", "cached")),
    Row("raw", "raw limit: axum, Unix socket, one python3", "warm", "python", False, raw_limit("one")),
    Row("raw-many", "the same, requests not waiting for each other", "warm", "python", False, raw_limit("many")),
    Row("framework-python", "functions-framework under gunicorn", "warm", "python", False, framework_python),
    Row("ours-warm-javascript", "faas serve, handler by its route", "warm", "javascript", True,
        handler_of("javascript", "hello.js", "cached")),
    Row("framework-node", "functions-framework for Node", "warm", "javascript", False, framework_node),
    Row("workerd", "workerd", "warm", "javascript", False, workerd),
]


def chosen(only):
    """The rows of these keys and groups, with ours to compare them with."""
    known = {row.key for row in ROWS} | {row.group for row in ROWS}
    for word in only:
        if word not in known:
            raise ValueError(f"--only {word}: accepted are {', '.join(sorted(known))}")
    if not only:
        return ROWS
    wanted = [row for row in ROWS if row.key in only or row.group in only]
    beside = {(row.group, row.language) for row in wanted}
    return [row for row in ROWS if row in wanted or (row.ours and (row.group, row.language) in beside)]
