# A cgroup v1 hierarchy mounted in an own user namespace; the kernel would run release_agent as root.
raw("unshare_user_cgroup_mount", 272, 0x10000000 | 0x2000000 | 0x20000)
raw("unshare_cgroup", 272, 0x2000000)
helper = os.path.join(os.getcwd(), "helper")
with open(helper, "w") as script:
    script.write("#!/bin/sh\ntouch %s\n" % MARK_FILE)
os.chmod(helper, 0o755)
os.makedirs("mnt", exist_ok=True)
for controller in ["memory", "rdma", "pids", "cpu", "cpuset", "devices", "freezer", "net_cls", "hugetlb", "misc", "name=systemd"]:
    raw("mount_v1_" + controller.replace("=", "_"), 165, b"cgroup", b"mnt", b"cgroup", 0, controller.encode())
raw("mount_v2", 165, b"cgroup2", b"mnt", b"cgroup2", 0, 0)
places = ["mnt", "/sys/fs/cgroup"] + ["/sys/fs/cgroup/" + c for c in ["memory", "pids", "cpu", "devices", "unified", "systemd"]]
for place in places:
    label = place.strip("/").replace("/", "_")
    if place != "mnt":
        attempt("mkdir_" + label, lambda: os.mkdir(place + "/faas-hostile"))
    attempt("agent_" + label, write_to(place + "/release_agent", helper.encode()))
    attempt("notify_" + label, write_to(place + "/notify_on_release", b"1"))
    attempt("procs_" + label, write_to(place + "/cgroup.procs", b"0"))
say("done")
