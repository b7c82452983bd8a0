"""A dockerd of our own: its socket, its data and its mounts go with it.

It lives in a process and a mount namespace of its own, so that containers, shims and mounts end when
it does, however it ends. It has no bridge and no packet filter, and containers have no network, as our
sandboxes have none.
"""

import contextlib
import os
import shutil

from .bundle import MEMORY, PIDS, make_root
from .process import Daemon, Unavailable, checked, environment, remove_cgroups, succeeds, timed


@contextlib.contextmanager
def docker(cache, *, name, folder, command):
    """The function that runs one container, and Docker's version."""
    if os.geteuid() != 0:
        raise Unavailable("dockerd needs root")
    daemon, version = cache.debian("docker.io", "dockerd")
    client, _ = cache.debian("docker.io", "docker")
    folders, libraries = cache.debian_folders("docker.io")
    folder.mkdir(parents=True)
    env = environment(folder, folders=folders)
    address = f"unix://{folder}/socket"
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", daemon,
            "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid",
            "--host", address, "--cgroup-parent", name, "--bridge", "none", "--iptables=false",
            "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
    with contextlib.ExitStack() as stack:
        stack.callback(remove_cgroups, name)
        started = Daemon(argv, env={**env, "LD_LIBRARY_PATH": str(libraries)}, log=folder / "log", end_children=True)
        stack.enter_context(started)
        ask = [client, "--host", address]
        started.until(lambda: succeeds([*ask, "version"], env))
        root = make_root(folder / "root")
        packed = shutil.make_archive(str(folder / "root"), "tar", root)
        checked([*ask, "import", packed, "peer"], reason="docker import", env=env)
        argv = [*ask, "run", "--rm", "--network", "none", "--read-only", "--memory", str(MEMORY),
                "--pids-limit", str(PIDS), "--user", "65534:65534", "--cap-drop", "ALL",
                "--security-opt", "no-new-privileges", "--volume", "/usr:/usr:ro", "peer", *command]
        yield lambda: timed(argv, env, folder / "stderr"), version
