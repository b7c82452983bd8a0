"""What this machine is: without it a number says nothing."""

import os
import pathlib


def describe():
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": os.uname().release.split("-")[0],
        "cgroups": cgroup_layout(pathlib.Path("/proc/self/mounts").read_text()),
        "user": "root" if os.geteuid() == 0 else "ordinary user",
        "load_before": round(os.getloadavg()[0], 2),
    }


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def cgroup_layout(mounts):
    """Which version has the controllers: `v1`, `v2`, or both for different ones."""
    under = [line.split() for line in mounts.splitlines()]
    under = [(fields[1], fields[2]) for fields in under if fields[1].startswith("/sys/fs/cgroup")]
    kinds = {kind for _, kind in under}
    if ("/sys/fs/cgroup", "cgroup2") in under:
        return "v2"
    if {"cgroup", "cgroup2"} <= kinds:
        return "v1, with v2 beside it"
    return "v1" if "cgroup" in kinds else "none"
