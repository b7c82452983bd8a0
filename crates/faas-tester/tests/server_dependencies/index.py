"""A package index made of what stands here, on loopback; prints its port. It ends with its standard input.

The page of a project whose name begins with `slow` is answered once `/release/PROJECT` was asked for, and
`/wait/PROJECT` is answered once that page was asked for. Pages of npm's packages stand at the top. `/asked` answers the paths of all requests so far.
"""

import base64
import hashlib
import http.server
import io
import json
import sys
import tarfile
import threading
import zipfile

BOUND = 60

# Builds a package by running its setup.py, as the usual one does.
BACKEND = '''
import zipfile

class Legacy:
    def get_requires_for_build_wheel(self, settings=None):
        return []

    def build_wheel(self, directory, settings=None, metadata=None):
        left = {"__name__": "__main__"}
        with open("setup.py") as file:
            exec(compile(file.read(), "setup.py", "exec"), left)
        with zipfile.ZipFile(directory + "/attack-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("attack.py", "FOUND = %r" % left["FOUND"])
            info = "attack-1.0.dist-info/"
            wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: attack\\nVersion: 1.0\\n")
            wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
            wheel.writestr(info + "RECORD", "")
        return "attack-1.0-py3-none-any.whl"

__legacy__ = Legacy()
'''

# Tries what a build must not be able to do; what came of it is the package's text.
ATTACK = '''
import glob, json, os, socket

def tried(what):
    try:
        return repr(what() or "done")
    except BaseException as error:
        return "refused: " + type(error).__name__

def ask(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        return connection.recv(100)

def write(path):
    with open(path, "w") as file:
        file.write("x")

def seen():
    texts = [json.dumps(dict(os.environ))]
    for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
        try:
            texts.append(open(path, "rb").read().decode("latin-1"))
        except OSError:
            pass
    return " ".join(texts)

print("setup.py runs")
FOUND = json.dumps({
    "seen": seen(),
    "index": tried(lambda: ask(INDEX)),
    "elsewhere": tried(lambda: socket.create_connection(("192.0.2.1", 80), timeout=5)),
    "usr": tried(lambda: write("/usr/evil")),
    "packages": tried(lambda: write("/packages/evil")),
    "shadow": tried(lambda: open("/etc/shadow").read()),
})
'''


# The same for an install script of npm's; it leaves a process behind.
SCRIPT = '''
const fs = require("fs"), net = require("net"), child = require("child_process");
const tried = what => { try { return what() || "done" } catch (error) { return "refused: " + error.code } };
const connect = (host, port) => new Promise(resolve => {
  const socket = net.connect({host, port, timeout: 5000}, () => resolve("connected"));
  socket.on("error", error => resolve("refused: " + error.code)).on("timeout", () => resolve("timeout"));
});
const read = path => { try { return fs.readFileSync(path, "latin1") } catch { return "" } };
(async () => {
  console.log("the script runs");
  const pids = fs.readdirSync("/proc").filter(name => !isNaN(name));
  const found = {
    seen: [JSON.stringify(process.env), ...pids.flatMap(pid => [read(`/proc/${pid}/environ`), read(`/proc/${pid}/cmdline`)])].join(" "),
    index: await connect("127.0.0.1", INDEX),
    elsewhere: await connect("192.0.2.1", 80),
    usr: tried(() => fs.writeFileSync("/usr/evil", "x")),
    packages: tried(() => fs.writeFileSync("/packages/evil", "x")),
    shadow: tried(() => fs.readFileSync("/etc/shadow", "utf8")),
  };
  fs.writeFileSync("found.json", JSON.stringify(found));
  child.spawn("sleep", ["600"], {detached: true, stdio: "inherit"}).unref();
})();
'''


def wheel(name, version, files):
    info = "%s-%s.dist-info/" % (name, version)
    files = dict(files)
    files[info + "METADATA"] = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version)
    files[info + "WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[info + "RECORD"] = ""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return "%s-%s-py3-none-any.whl" % (name, version), out.getvalue()


def source(name, version, files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo("%s-%s/%s" % (name, version, path))
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return "%s-%s.tar.gz" % (name, version), out.getvalue()


def npm(port, name, script, files):
    """A package with an install script: its page, and the name and content of its tarball."""
    manifest = {"name": name, "version": "1.0.0", "scripts": {"postinstall": script}}
    _, tarball = source(name, "1.0.0", {"package.json": json.dumps(manifest), **files})
    file = name + "-1.0.0.tgz"
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
    dist = {"tarball": "http://127.0.0.1:%d/files/%s" % (port, file), "integrity": integrity}
    page = {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {**manifest, "dist": dist}}}
    return name, json.dumps(page).encode(), file, tarball


class Gate:
    def __init__(self):
        self.asked, self.released = threading.Event(), threading.Event()


class Index(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files = {}
    pages = {}
    gates = {}
    requests = []

    def do_GET(self):
        place, _, name = self.path.strip("/").partition("/")
        if place == "asked":
            return self.answer(200, json.dumps(self.requests).encode())
        if place == "wait":
            return self.answer(200 if self.gates[name].asked.wait(BOUND) else 504, b"{}")
        if place == "release":
            self.gates[name].released.set()
            return self.answer(200, b"{}")
        self.requests.append(self.path)
        if place == "files" and name in self.files:
            return self.answer(200, self.files[name], "application/octet-stream")
        if place in self.pages:
            return self.answer(200, self.pages[place])
        if name in self.gates:
            self.gates[name].asked.set()
            self.gates[name].released.wait(BOUND)
        files = [file for file in self.files if place == "simple" and file.startswith(name + "-")]
        page = "".join(
            '<a href="/files/%s#sha256=%s">%s</a>' % (file, hashlib.sha256(self.files[file]).hexdigest(), file)
            for file in files
        )
        return self.answer(200 if files else 404, page.encode(), "text/html")

    def answer(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    SERVER = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    SERVER.daemon_threads = True
    PORT = SERVER.server_address[1]
    Index.files.update([
        wheel("words", "1.0", {"words.py": "HELLO = 'hello'\n"}),
        wheel("marked", "1.0", {"marked.py": "import uuid\nMARK = str(uuid.uuid4())\n"}),
        wheel("slow", "1.0", {"slow.py": "NUMBER = 1\n"}),
        wheel("slower", "1.0", {"slower.py": "NUMBER = 2\n"}),
        wheel("setuptools", "68.0", {"setuptools/__init__.py": "", "setuptools/build_meta.py": BACKEND}),
        wheel("wheel", "0.40", {"wheel/__init__.py": ""}),
        source("attack", "1.0", {"setup.py": ATTACK.replace("INDEX", str(PORT))}),
    ])
    for package, page, tarball, content in [
        npm(PORT, "attack", "node attack.js", {"attack.js": SCRIPT.replace("INDEX", str(PORT))}),
        npm(PORT, "failing", "echo the compiler is missing; exit 3", {}),
    ]:
        Index.pages[package], Index.files[tarball] = page, content
    Index.gates.update({"slow": Gate(), "slower": Gate()})
    threading.Thread(target=SERVER.serve_forever, daemon=True).start()
    print(PORT, flush=True)
    sys.stdin.read()
