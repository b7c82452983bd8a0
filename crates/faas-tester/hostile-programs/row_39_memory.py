# Ten times the memory there is, in the way named by WAY.
way = os.environ["WAY"]
limit = int(os.environ["LIMIT"])
wanted = limit * 10
page = b"x" * (1 << 20)
parent = os.getpid()


def touch():
    kept = []
    for _ in range(wanted >> 20):
        kept.append(bytearray(page))
    return len(kept)


def fill(path):
    written = 0
    with open(path, "wb", buffering=0) as file:
        while written < wanted:
            written += file.write(page)
    return written >> 20


def run():
    if way == "touch":
        return touch()
    if way == "mlockall":
        error = None if libc.mlockall(3) == 0 else name_of(ctypes.get_errno())
        fact("mlockall", error or "ALLOWED")
        return touch()
    if way == "memfd":
        return fill("/proc/self/fd/%d" % os.memfd_create("big", 0))
    if way == "shared":
        import mmap
        area = mmap.mmap(-1, wanted)
        for offset in range(0, wanted, 4096):
            area[offset] = 1
        return wanted >> 20
    if way == "sysv":
        identity = libc.shmget(0, ctypes.c_size_t(wanted), 0o1600)
        if identity == -1:
            raise OSError(ctypes.get_errno(), "shmget")
        libc.shmat.restype = ctypes.c_void_p
        address = libc.shmat(identity, None, 0)
        if address in (None, ctypes.c_void_p(-1).value):
            raise OSError(ctypes.get_errno(), "shmat")
        ctypes.memset(address, 1, wanted)
        return wanted >> 20
    if way == "children":
        started = [os.fork() for _ in range(20) if os.getpid() == parent]
        if os.getpid() != parent:
            try:
                touch()
                os._exit(0)
            except MemoryError:
                os._exit(1)
        # The kernel may end children and leave this process: what counts is that none got through.
        through = sum(os.waitpid(child, 0)[1] == 0 for child in started)
        if through == 0:
            raise OSError(errno.ENOMEM, "no child got through")
        return through
    return fill(os.path.join(way, "fill"))


try:
    fact("filled_mib", run())
except OSError as problem:
    fact("refused", name_of(problem.errno))
except MemoryError:
    fact("refused", "MemoryError")
say("done")
