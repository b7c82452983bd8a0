# What tells one host, tenant or sandbox from another.
fact("hostname", os.uname().nodename)
for name in ["/etc/hostname", "/etc/machine-id"]:
    try:
        fact(os.path.basename(name), open(name).read().strip() or "empty")
    except OSError as problem:
        fact(os.path.basename(name), name_of(problem.errno))
for line in open("/proc/self/cgroup"):
    number, controllers, path = line.rstrip("\n").split(":", 2)
    fact("cgroup_" + (controllers.replace(",", "_").replace("=", "_") or "v2"), path)
for line in open("/proc/self/mountinfo"):
    say("mount", line.rstrip("\n"))
say("done")
