# A larger share of the processors and of the host than was given.
import resource


def raise_hard_limit(which):
    def action():
        soft, hard = resource.getrlimit(which)
        if hard == resource.RLIM_INFINITY:
            raise AssertionError("unlimited")
        try:
            resource.setrlimit(which, (soft, hard + 1))
        except ValueError:
            raise OSError(errno.EPERM, "refused")
    return action


before = os.sched_getaffinity(0)
raw("fifo", 144, 0, 1, ctypes.c_char_p(struct.pack("<i", 1)))
raw("round_robin", 144, 0, 2, ctypes.c_char_p(struct.pack("<i", 99)))
raw("deadline", 314, 0, ctypes.c_char_p(struct.pack("<IIQiIQQQ", 48, 6, 0, 0, 0, 10000000, 20000000, 20000000)), 0)
raw("nice_minus_20", 141, 0, 0, 0xFFFFFFFFFFFFFFEC)
raw("nice_of_init", 141, 0, 1, 0xFFFFFFFFFFFFFFEC)
raw("ioprio_realtime", 251, 1, 0, 1 << 13)
for label, which in [("nice", 13), ("rtprio", 14), ("memlock", resource.RLIMIT_MEMLOCK), ("nofile", resource.RLIMIT_NOFILE), ("core", resource.RLIMIT_CORE)]:
    try:
        attempt("rlimit_" + label, raise_hard_limit(which))
    except AssertionError:
        say("try", "rlimit_" + label, "ALLOWED")
system_call(203, 0, 128, ctypes.c_char_p(b"\xff" * 128))
after = os.sched_getaffinity(0)
fact("affinity", "within" if after <= before else "GREW")
fact("policy", os.sched_getscheduler(0))
fact("niceness", os.getpriority(os.PRIO_PROCESS, 0))
say("done")
