# Random system calls with random arguments, from children that are ended when they stop moving.
import random, resource
SECONDS = float(os.environ.get("SECONDS_TO_RUN", "60"))
SEED = int(os.environ.get("SEED", "1"))
# Left out because they only end, stop or fork the child that makes them, or end its parent.
LEFT_OUT = {15, 34, 56, 57, 58, 60, 62, 129, 130, 200, 231, 234, 297, 302, 424, 435}
INTERESTING = [0, 1, 2, 3, 4, 7, 8, 16, 0x7F, 0x80, 0xFF, 0x1000, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
               0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF9C, 0x10000000, 0x4000, 0x1DEAD]
fact("seed", SEED)
end = time.monotonic() + SECONDS
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def storm(seed):
    choice = random.Random(seed)
    for which, limit in [(resource.RLIMIT_AS, 512 << 20), (resource.RLIMIT_FSIZE, 1 << 20), (resource.RLIMIT_CPU, 4)]:
        hard = resource.getrlimit(which)[1]
        wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(which, (wanted, wanted))
    silence = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silence, number)
    memory = ctypes.create_string_buffer(bytes(choice.getrandbits(8) for _ in range(4096)), 4096)
    address = ctypes.addressof(memory)
    paths = [ctypes.create_string_buffer(path) for path in (b"/", b"/tmp", b"/proc/self/mem", b"/dev/null", b".", b"/proc/1/ns/user", b"random")]
    for _ in range(3000):
        number = choice.randrange(0, 471) if choice.random() < 0.95 else choice.getrandbits(10)
        if number in LEFT_OUT:
            continue
        arguments = []
        for _ in range(6):
            kind = choice.random()
            if kind < 0.4:
                arguments.append(choice.choice(INTERESTING))
            elif kind < 0.6:
                arguments.append(address + choice.randrange(0, 4096))
            elif kind < 0.7:
                arguments.append(ctypes.addressof(choice.choice(paths)))
            elif kind < 0.9:
                arguments.append(choice.randrange(0, 32))
            else:
                arguments.append(choice.getrandbits(64))
        libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(argument) for argument in arguments])


children = {}
started = 0
while time.monotonic() < end:
    while len(children) < 4:
        child = os.fork()
        if child == 0:
            try:
                os.setsid()
                storm(SEED + started)
            finally:
                os._exit(0)
        started += 1
        children[child] = time.monotonic()
    while children:
        try:
            done, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            children.clear()
            break
        if not done:
            break
        children.pop(done, None)
    for child, since in list(children.items()):
        if time.monotonic() - since > 1.0 * TIME_FACTOR:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                children.pop(child, None)
    time.sleep(0.01)
for child in children:
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
fact("children", started)
say("done")
