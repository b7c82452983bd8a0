# More files, more bytes and larger numbers than the quota has.
def until_refused(action, bound):
    for number in range(bound):
        try:
            action(number)
        except OSError as problem:
            return number, name_of(problem.errno)
    return bound, "none"


def report(label, answer):
    fact(label + "_count", answer[0])
    fact(label, answer[1])


areas = []
for area in [os.getcwd(), "/tmp", "/dev/shm", "/var/tmp", "/run"]:
    if os.path.isdir(area) and os.access(area, os.W_OK) and os.stat(area).st_dev not in [os.stat(seen).st_dev for seen in areas]:
        areas.append(area)
fact("areas", ",".join(areas))
for number, area in enumerate(areas):
    base = os.path.join(area, "hostile")
    os.mkdir(base)

    def sparse(_):
        with open(base + "/sparse", "wb") as file:
            os.ftruncate(file.fileno(), (1 << 63) - 1)
        if os.stat(base + "/sparse").st_blocks > 8:
            raise OSError(errno.EIO, "a sparse file has blocks")
    sparse_answer = until_refused(sparse, 1)
    fact("sparse_%d" % number, sparse_answer[1])

    def allocate(_):
        with open(base + "/allocated", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 10 << 30)
    report("fallocate_%d" % number, until_refused(allocate, 1))
    for name in ("sparse", "allocated"):
        try:
            os.unlink(base + "/" + name)
        except OSError:
            pass
    with open(base + "/dd", "wb", buffering=0) as file:
        report("dd_%d" % number, until_refused(lambda _: file.write(b"x" * (1 << 20)) == (1 << 20) or (_ for _ in ()).throw(OSError(errno.ENOSPC, "short")), 10240))
    os.unlink(base + "/dd")
    # Empty files last: they leave no room for anything else.
    report("files_%d" % number, until_refused(lambda count: os.close(os.open(base + "/%d" % count, os.O_CREAT | os.O_WRONLY)), 5_000_000))
say("done")
