# Joining the namespaces of init, of ourselves and of a process descriptor.
for kind in ["user", "mnt", "pid", "pid_for_children", "net", "ipc", "uts", "cgroup", "time"]:
    for pid in ["1", "self"]:
        def join():
            descriptor = os.open("/proc/%s/ns/%s" % (pid, kind), os.O_RDONLY)
            try:
                error = system_call(308, descriptor, 0)[1]
                if error:
                    raise OSError(getattr(errno, error, 0), error)
            finally:
                os.close(descriptor)
        attempt("setns_%s_%s" % (pid, kind), join)
for target in [1, os.getpid(), os.getppid()]:
    descriptor, error = system_call(434, target, 0)
    label = {1: "init", os.getpid(): "self"}.get(target, "parent")
    if error:
        say("try", "pidfd_setns_" + label, error)
        continue
    for kind, flag in CLONE_FLAGS.items():
        raw("pidfd_setns_%s_%s" % (label, kind), 308, descriptor, flag)
for number in range(3, 65):
    raw("inherited_fd_%d" % number, 308, number + 1000, 0)
say("done")
