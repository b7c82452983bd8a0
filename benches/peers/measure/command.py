"""Options, and the order of everything: install and start what is to be measured, measure it, report.

Whatever happens, Ctrl-C and SIGTERM included, what was started is ended and what was made is removed.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import sys
import tempfile

from . import host, report
from .install import Cache
from .ours import serve
from .process import Unavailable, checked
from .rotation import CLIENTS, Result, in_turn, under_load
from .rows import Context, chosen

SOURCES = pathlib.Path(__file__).resolve().parent.parent
ROOT = SOURCES.parent.parent
DOCUMENT = ROOT / "docs/BENCHMARKS.md"


class Interrupted(BaseException):
    def __init__(self, number):
        super().__init__()
        self.number = number


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


def main():
    options = parse(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return run(options)
    except Interrupted as interrupted:
        say("interrupted; everything that was started has ended")
        return 128 + interrupted.number
    except (Unavailable, ValueError, OSError) as error:
        say(str(error))
        return 1


def interrupt(number, _frame):
    # Once: clean-up is not to be interrupted.
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise Interrupted(number)


def parse(words):
    parser = argparse.ArgumentParser(prog="benches/peers/run", description="Measures peers beside us, in turn.")
    parser.add_argument("--only", default="", metavar="ROWS", help="keys of rows or groups, with commas; ours stay")
    parser.add_argument("--samples", type=positive, default=200, metavar="N", help="rounds of ephemeral rows [200]")
    parser.add_argument("--quick", action="store_true", help="few samples: shows that everything works, not more")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/BENCHMARKS.md as well")
    parser.add_argument("--faas", type=pathlib.Path, default=ROOT / "target/release/faas", metavar="PATH",
                        help="the program to measure [target/release/faas]")
    parser.add_argument("--serve-option", action="append", default=[], metavar="OPTION",
                        help="one more word for faas serve, as in --serve-option=--warm-sandboxes=32; repeatable")
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / "target/peers", metavar="PATH",
                        help="where peers are installed [target/peers]")
    options = parser.parse_args(words)
    if options.quick and options.write:
        parser.error("--write takes a whole run: without --quick")
    return options


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def run(options):
    rows = chosen([word for word in options.only.split(",") if word])
    if not os.access(options.faas, os.X_OK):
        raise Unavailable(f"{options.faas} is not there; make it with: cargo build --release --bin faas")
    binary = options.faas.resolve()
    machine = host.describe()
    cache = Cache(options.cache.resolve(), SOURCES)
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="faas-peers-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # Our server's unprivileged user has to reach its data directory.
        folder.chmod(0o755)
        version = checked([binary, "--version"], reason=f"{binary} --version").strip()
        stack.enter_context(cache.locked())
        server = stack.enter_context(serve(binary, options.serve_option, version, folder / "ours"))
        context = Context(cache, binary, server, SOURCES, folder, folder.name)
        samples = 10 if options.quick else options.samples
        results = []
        for group, measure in (("ephemeral", measure_ephemeral), ("warm", measure_warm)):
            part = [row for row in rows if row.group == group]
            # What a group has started ends before the next one is measured.
            with contextlib.ExitStack() as started:
                results += measure(part, context, started, samples) if part else []
        said = {"version": version, "isolation": server.isolation, "serve_options": options.serve_option}
    conclude(options, machine, said, results)
    return 0


def measure_ephemeral(rows, context, stack, samples):
    opened = open_all(rows, context, stack)
    results = [first_result(row, opened[row.key], 1) for row in rows]
    in_turn([(result, opened[result.row.key]) for result in results if not result.reason], samples, say)
    return results


def measure_warm(rows, context, stack, samples):
    load = context.cache.built("load")
    opened = open_all(rows, context, stack)
    measured = []
    for clients in CLIENTS:
        results = [first_result(row, opened[row.key], clients) for row in rows]
        asked = [(result, opened[result.row.key].url) for result in results if not result.reason]
        under_load(load, asked, samples * 10 if clients == 1 else max(3, samples // 10), clients, say)
        measured += results
    return measured


def open_all(rows, context, stack):
    opened = {}
    for row in rows:
        say(f"{row.key}: installing and starting")
        opened[row.key] = try_open(row, context, stack)
    return opened


def try_open(row, context, stack):
    """What is sampled, or the reason why there is nothing."""
    # What a row that fails has started already ends at once.
    with contextlib.ExitStack() as own:
        try:
            opened = row.open(context, own, row.key)
        except (Unavailable, OSError) as error:
            say(f"{row.key}: not measured: {error}")
            return str(error)
        stack.push(own.pop_all())
        return opened


def first_result(row, opened, clients):
    if isinstance(opened, str):
        return Result(row, clients, reason=opened)
    return Result(row, clients, version=opened.version)


def said_again(options):
    """The command without what is this machine's only: where things lie, and where the report went."""
    words = ["benches/peers/run", *(["--quick"] if options.quick else ["--samples", str(options.samples)])]
    words += ["--only", options.only] if options.only else []
    words += [f"--serve-option={word}" for word in options.serve_option]
    return shlex.join(words)


def conclude(options, machine, server, results):
    command = said_again(options)
    if options.json:
        print(json.dumps(report.as_json(machine, server, command, results), indent=2))
    section = report.markdown(machine, server, command, results)
    if not options.json:
        print(section, end="")
    if options.write:
        DOCUMENT.write_text(report.between_markers(DOCUMENT.read_text(), section))
        say(f"wrote the section of {DOCUMENT.relative_to(ROOT)}")
    if machine["load_before"] > 0.5:
        say(f"the load average was {machine['load_before']} before: repeat this on an idle machine")
