# Memory the kernel spends on us, in the way named by WAY: until refused, or COUNT of them.
import fcntl, select
way = os.environ["WAY"]
count = int(os.environ["COUNT"])
keep = []


def pipe():
    reader, writer = os.pipe()
    keep.append((reader, writer))
    os.set_blocking(writer, False)
    try:
        fcntl.fcntl(writer, 1031, 1 << 20)
    except OSError:
        pass
    try:
        while True:
            os.write(writer, b"x" * 65536)
    except BlockingIOError:
        pass


def epoll():
    keep.append(select.epoll())


def watch():
    if not keep:
        keep.append(libc.inotify_init())
    path = "watched-%d" % len(keep)
    os.mkdir(path)
    if libc.inotify_add_watch(keep[0], path.encode(), 0xFFF) == -1:
        raise OSError(ctypes.get_errno(), "watch")
    keep.append(path)


def timer():
    identity = ctypes.c_int()
    if libc.timer_create(1, None, ctypes.byref(identity)) == -1:
        raise OSError(ctypes.get_errno(), "timer")
    keep.append(identity.value)


def sockets():
    left, right = socket.socketpair()
    left.setblocking(False)
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
    keep.append((left, right))
    try:
        while True:
            left.send(b"x" * 65536)
    except BlockingIOError:
        pass


def queue():
    identity = libc.msgget(0, 0o1600)
    if identity == -1:
        raise OSError(ctypes.get_errno(), "queue")
    keep.append(identity)
    message = ctypes.create_string_buffer(struct.pack("<q", 1) + b"x" * 8192)
    while libc.msgsnd(identity, message, ctypes.c_size_t(8192), 0o4000) == 0:
        pass


def semaphores():
    identity = libc.semget(0, 250, 0o1600)
    if identity == -1:
        raise OSError(ctypes.get_errno(), "semaphores")
    keep.append(identity)


def eventfd():
    keep.append(os.eventfd(1))


def mapping():
    import mmap
    keep.append(mmap.mmap(-1, 4096 * 2))
    libc.mprotect(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(keep[-1]))), 4096, 1)


def lock():
    if not keep:
        keep.append(os.open("locks", os.O_CREAT | os.O_RDWR))
    fcntl.lockf(keep[0], fcntl.LOCK_EX, 1, len(keep) * 2)
    keep.append(1)


made = 0
refusal = "none"
action = {"pipe": pipe, "epoll": epoll, "watch": watch, "timer": timer, "sockets": sockets, "queue": queue,
          "semaphores": semaphores, "eventfd": eventfd, "mapping": mapping, "lock": lock}[way]
try:
    while made < count:
        action()
        made += 1
except OSError as problem:
    refusal = name_of(problem.errno)
except MemoryError:
    refusal = "MemoryError"
os.write(1, ("fact made %d\nfact refusal %s\ndone\n" % (made, refusal)).encode())
os._exit(0)
