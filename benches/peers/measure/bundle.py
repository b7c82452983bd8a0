"""One minimal root for runc, runsc and docker: empty folders, the usual links, and the host's /usr
bound read-only, as our own sandboxes have it. A run has 256 MiB of memory and 64 processes, as ours.
"""

import itertools
import json
import sys

from .process import Unavailable, checked, remove_cgroups, timed

FOLDERS = ("usr", "proc", "dev", "tmp", "sys", "etc")
LINKS = ("lib", "lib64", "bin", "sbin")
MEMORY = 256 * 1024 * 1024
PIDS = 64


def make_root(folder):
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    for name in LINKS:
        (folder / name).symlink_to(f"usr/{name}")
    return folder


class Bundle:
    """Containers of an OCI runtime, one for each sample; leaving the context removes what is left of them."""

    def __init__(self, runtime, options, command, *, name, folder, env):
        self.name, self.env, self.folder = name, env, folder
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self.runtime = [runtime, "--root", str(self.state), *options]
        self.bundle = folder / "bundle"
        make_root(self.bundle / "rootfs")
        self.numbers = itertools.count()
        (self.bundle / "config.json").write_text(json.dumps(configuration(command, name)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # None, unless the last one was interrupted.
        try:
            left = checked([*self.runtime, "list", "--quiet"], reason="listing containers", env=self.env)
            for container in left.split():
                checked([*self.runtime, "delete", "--force", container], reason=f"removing {container}", env=self.env)
        except Unavailable as error:
            print(f"peers: {error}", file=sys.stderr)
        finally:
            remove_cgroups(self.name)

    def sample(self):
        container = f"{self.name}-{next(self.numbers)}"
        argv = [*self.runtime, "run", "--bundle", str(self.bundle), container]
        return timed(argv, self.env, self.folder / "stderr")


def configuration(command, name):
    def mount(destination, kind, source, *options):
        return {"destination": destination, "type": kind, "source": source, "options": list(options)}

    small = ("nosuid", "noexec", "nodev")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 65534, "gid": 65534},
            "args": command,
            "env": ["PATH=/usr/bin"],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": {},
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "peer",
        "mounts": [
            mount("/usr", "bind", "/usr", "rbind", "ro", "nosuid", "nodev"),
            mount("/proc", "proc", "proc", *small),
            mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755", "size=65536k"),
            mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "size=65536k"),
        ],
        "linux": {
            "cgroupsPath": f"/{name}/run",
            "resources": {"memory": {"limit": MEMORY}, "pids": {"limit": PIDS}},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
        },
    }
