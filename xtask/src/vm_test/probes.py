"""What this kernel offers a sandbox on cgroup v2. Prints one line per finding; fails when something
that the process executor relies on is missing."""

import ctypes
import os
import signal
import subprocess
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
CGROUPS = "/sys/fs/cgroup"
failures = []


def finding(name, value, required=None):
    verdict = "" if required is None else (" ok" if required else " MISSING")
    print(f"probe {name}: {value}{verdict}", flush=True)
    if required is False:
        failures.append(name)


def read(path):
    with open(path) as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def call(number, *arguments):
    return libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(a & (2**64 - 1)) for a in arguments])


class Cgroup:
    """A directory below the root, emptied and removed at the end."""

    def __init__(self, name):
        self.path = f"{CGROUPS}/{name}"

    def __enter__(self):
        os.mkdir(self.path)
        return self

    def __exit__(self, *_):
        write(f"{self.path}/cgroup.kill", "1")
        deadline = time.monotonic() + 5
        while "populated 1" in read(f"{self.path}/cgroup.events") and time.monotonic() < deadline:
            os.sched_yield()
        os.rmdir(self.path)

    def run(self, program):
        """Runs Python text inside and answers its exit status."""
        inside = f"open('{self.path}/cgroup.procs', 'w').write('0')\n{program}"
        return subprocess.run([sys.executable, "-I", "-S", "-c", inside], stderr=subprocess.DEVNULL).returncode

    def event(self, file, key):
        return int(dict(line.split() for line in read(f"{self.path}/{file}").splitlines())[key])


def cgroup_limits():
    controllers = read(f"{CGROUPS}/cgroup.controllers").split()
    finding("cgroup controllers", " ".join(controllers), {"cpu", "memory", "pids"} <= set(controllers))
    with Cgroup("probe") as group:
        write(f"{group.path}/memory.max", str(32 << 20))
        status = group.run("x = b'x' * (64 << 20)")
        finding("memory.max kills at its limit", f"status {status}", status == -signal.SIGKILL)
        finding("memory.events oom_kill", group.event("memory.events", "oom_kill"),
                group.event("memory.events", "oom_kill") >= 1)
        for file in ["memory.peak", "memory.high", "memory.oom.group", "memory.swap.max", "cgroup.freeze", "cpu.max",
                     "pids.max", "pids.peak", "cgroup.pressure"]:
            finding(f"file {file}", os.path.exists(f"{group.path}/{file}"))
    with Cgroup("probe") as group:
        write(f"{group.path}/pids.max", "2")
        status = group.run("import os\nos.fork()\nos.fork()")
        finding("pids.max refuses the third process", f"status {status}", status == 1)
    with Cgroup("probe") as group:
        sleeper = subprocess.Popen(["/usr/bin/sleep", "600"])
        write(f"{group.path}/cgroup.procs", str(sleeper.pid))
        write(f"{group.path}/cgroup.kill", "1")
        finding("cgroup.kill", f"status {sleeper.wait(10)}", sleeper.returncode == -signal.SIGKILL)
    with Cgroup("probe") as group:
        finding("clone3 CLONE_INTO_CGROUP", *born_inside(group))


def born_inside(group):
    directory = os.open(group.path, os.O_RDONLY)
    into_cgroup = 0x2_0000_0000
    # struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
    # set_tid_size, cgroup.
    arguments = (ctypes.c_uint64 * 11)(into_cgroup, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, directory)
    reader, writer = os.pipe()
    child = call(435, ctypes.addressof(arguments), ctypes.sizeof(arguments))
    if child == 0:
        os.write(writer, read("/proc/self/cgroup").encode())
        os._exit(0)
    os.close(directory)
    if child < 0:
        return f"errno {ctypes.get_errno()}", False
    os.close(writer)
    os.waitpid(child, 0)
    where = os.read(reader, 4096).decode()
    return where, where == "0::/probe"


def security():
    finding("kernel", os.uname().release)
    finding("security modules", read("/sys/kernel/security/lsm") if os.path.exists("/sys/kernel/security/lsm") else "?")
    landlock = call(444, 0, 0, 1)
    finding("landlock ABI", landlock if landlock > 0 else f"errno {ctypes.get_errno()}", landlock > 0)
    finding("seccomp actions", read("/proc/sys/kernel/seccomp/actions_avail"), True)
    for name in ["kernel/unprivileged_userns_clone", "user/max_user_namespaces", "vm/overcommit_memory",
                 "kernel/pid_max", "kernel/yama/ptrace_scope"]:
        path = f"/proc/sys/{name}"
        finding(f"sysctl {name}", read(path) if os.path.exists(path) else "absent")
    for name, number in [("pidfd_open", 434), ("close_range", 436), ("openat2", 437), ("mount_setattr", 442),
                         ("memfd_secret", 447)]:
        result = call(number, 2**31, 0, 0, 0, 0)
        error = ctypes.get_errno()
        finding(f"call {name}", "absent" if result < 0 and error == 38 else "present")


def as_ordinary_user():
    """The same steps a rootless sandbox takes, as uid 1000."""
    ordinary = ["/usr/bin/setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "--inh-caps=-all"]
    steps = {
        "user namespace": "true",
        "tmpfs": "mount -t tmpfs tmpfs /tmp",
        "overlay": "mount -t tmpfs tmpfs /tmp && mkdir /tmp/l /tmp/u /tmp/w /tmp/m && "
                   "mount -t overlay -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w,userxattr overlay /tmp/m",
        "proc": "mount -t proc proc /proc",
        "pivot_root": "mount -t tmpfs tmpfs /tmp && mkdir /tmp/old && cd /tmp && pivot_root . old",
    }
    for name, step in steps.items():
        command = [*ordinary, "/usr/bin/unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc",
                   "--uts", "--cgroup", "--fork", "/usr/bin/sh", "-c", step]
        done = subprocess.run(command, capture_output=True, text=True)
        note = "works" if done.returncode == 0 else (done.stderr.strip() or f"status {done.returncode}")
        finding(f"as uid 1000: {name}", note, done.returncode == 0)
    done = subprocess.run(
        [*ordinary, "/usr/bin/sh", "-c",
         "cd /sys/fs/cgroup/ordinary && mkdir x && echo 1000000 > x/memory.max && echo 5 > x/pids.max && "
         "echo '10000 100000' > x/cpu.max && rmdir x"], capture_output=True, text=True)
    finding("as uid 1000: limits in a delegated cgroup", done.stderr.strip() or "works", done.returncode == 0)


def start_times():
    for name, command in [("true", ["/usr/bin/true"]), ("python", ["/usr/bin/python3", "-I", "-c", "print(1)"]),
                          ("node", ["/usr/bin/node", "-e", "console.log(1)"]), ("bash", ["/usr/bin/bash", "-c", ":"])]:
        if not os.path.exists(command[0]):
            finding(f"start of {name}", "not on this machine")
            continue
        took = []
        for _ in range(3):
            began = time.monotonic()
            status = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
            took.append(time.monotonic() - began)
        finding(f"start of {name}", f"{sorted(took)[1] * 1000:.0f} ms (first {took[0] * 1000:.0f})", status == 0)


cgroup_limits()
security()
as_ordinary_user()
start_times()
if failures:
    sys.exit(f"missing: {', '.join(failures)}")
