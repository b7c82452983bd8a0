"""Peers from their registries into the cache: nothing of the host is changed but Debian's package lists.

What was installed once is taken again. Versions of PyPI and npm are fixed here, so that two runs
compare the same; Debian has one version of each.
"""

import contextlib
import fcntl
import functools
import json
import os
import pathlib
import shutil

from .process import Unavailable, checked

PYPI = {"functions-framework": "3.10.2", "gunicorn": "27.0.1"}
NPM = {
    "@google-cloud/functions-framework": "5.0.5",
    "@cloudflare/workerd-linux-64": "1.20261117.1",
    "@deno/linux-x64-glibc": "2.9.6",
}


class Cache:
    def __init__(self, folder, sources):
        self.folder, self.sources = folder, sources
        folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self):
        """Two runs at once would measure each other."""
        with open(self.folder / "lock", "wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Unavailable(f"another run uses {self.folder}; wait for its end") from None
            yield

    @functools.cache
    def debian(self, package, program):
        """The path of a program of a Debian package, and the package's version."""
        root = self.folder / "debian" / package
        if not (root / "done").exists():
            self._download(package, root)
        folders = [root / "root" / folder for folder in ("usr/bin", "usr/sbin")]
        found = shutil.which(program, path=os.pathsep.join(map(str, folders)))
        archive = next((root / "archives").glob(f"{package}_*.deb"), None)
        if archive is None:
            # apt downloads nothing of a package that the host has.
            found = shutil.which(program, path="/usr/bin:/usr/sbin")
            asking = ["dpkg-query", "--show", "--showformat=${Version}", package]
        else:
            asking = ["dpkg-deb", "--field", archive, "Version"]
        if found is None:
            raise Unavailable(f"Debian's package {package} has no {program}")
        return found, checked(asking, reason=f"the version of {package}").strip()

    def debian_folders(self, package):
        root = self.folder / "debian" / package / "root"
        libraries = root / "usr/lib" / f"{os.uname().machine}-linux-gnu"
        return [root / "usr/bin", root / "usr/sbin"], libraries

    def _download(self, package, root):
        for program in ("apt-get", "dpkg-deb", "dpkg-query"):
            if shutil.which(program) is None:
                raise Unavailable(f"no {program}: this is not Debian")
        archives = root / "archives"
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        download = ["apt-get", "install", "--download-only", "--yes", "-qq", "--no-install-recommends",
                    "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root",
                    "-o", f"Dir::Cache::archives={archives}", package]
        try:
            checked(download, reason="apt-get")
        except Unavailable:
            # Lists that are missing, or older than what the mirror still has.
            checked(["apt-get", "update", "-qq"], reason="apt-get update")
            checked(download, reason=f"downloading {package}")
        for archive in sorted(archives.glob("*.deb")):
            checked(["dpkg-deb", "--extract", archive, root / "root"], reason=f"unpacking {archive.name}")
        (root / "done").touch()

    @functools.cache
    def pypi(self):
        """The folder of a virtual environment's programs."""
        folder = self.folder / "pypi"
        pins = [f"{name}=={version}" for name, version in PYPI.items()]
        if not stamped(folder, pins):
            shutil.rmtree(folder, ignore_errors=True)
            checked(["/usr/bin/python3", "-m", "venv", folder], reason="making a virtual environment")
            checked([folder / "bin/pip", "install", "--quiet", *pins], reason="pip install")
            stamp(folder, pins)
        return folder / "bin"

    @functools.cache
    def npm(self):
        """The folder `node_modules`."""
        folder = self.folder / "npm"
        pins = [f"{name}@{version}" for name, version in NPM.items()]
        if not stamped(folder, pins):
            if shutil.which("npm") is None:
                raise Unavailable("no npm on this host")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, *pins]
            checked(install, reason="npm install")
            stamp(folder, pins)
        return folder / "node_modules"

    @functools.cache
    def built(self, program):
        """One of our own small programs in raw/."""
        target = self.folder / "raw"
        command = ["cargo", "build", "--quiet", "--release", "--locked", "--target-dir", target,
                   "--manifest-path", self.sources / "raw/Cargo.toml"]
        checked(command, reason="cargo build of raw/", timeout=1800)
        return target / "release" / program


def stamped(folder, pins):
    path = pathlib.Path(folder) / "done.json"
    return path.exists() and json.loads(path.read_text()) == pins


def stamp(folder, pins):
    (pathlib.Path(folder) / "done.json").write_text(json.dumps(pins))
