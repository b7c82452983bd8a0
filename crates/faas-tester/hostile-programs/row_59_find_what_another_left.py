# Looks for what a program like this one left that was here before, or that was copied from the same process,
# takes numbers that must be nobody else's, and leaves all it can.
import multiprocessing, random, re, secrets, ssl, tempfile, uuid

# A class of one letter, so that the pattern does not find itself.
pattern = re.compile(b"faas-lef[t]-[0-9a-f]{16}")


def memory():
    """Every piece of this process's memory that is not as it is in a file."""
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as whole:
        for line in maps.read().splitlines():
            limits, rights, *_ = line.split()
            of_a_file = "/" in line and not rights.startswith("rw")
            if not rights.startswith("r") or of_a_file or line.endswith(("[vvar]", "[vvar_vclock]", "[vsyscall]")):
                continue
            start, end = (int(limit, 16) for limit in limits.split("-"))
            for at in range(start, end, 1 << 20):
                try:
                    # The next piece begins before this one ends: nothing is cut in two.
                    yield os.pread(whole.fileno(), min((1 << 20) + 64, end - at), at)
                except OSError:
                    continue


def files():
    """Names and contents of all files but the system's and this program's."""
    for base, directories, names in os.walk("/"):
        if base in ("/proc", "/sys", "/usr"):
            directories[:] = []
            continue
        for name in names + directories:
            yield name.encode("utf-8", "surrogateescape")
        for path in [os.path.join(base, name) for name in names]:
            if os.path.isfile(path) and path != os.path.abspath(__file__):
                yield read(path)
    for path in ["self/environ", "self/cmdline", "self/auxv", "self/mountinfo", "net/unix", "keys"]:
        yield read("/proc/" + path)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""


def look():
    """What is found by place, and how many bytes were searched."""
    found, searched = set(), 0
    for place, pieces in [("memory", memory()), ("files", files())]:
        for piece in pieces:
            searched += len(piece)
            found.update("%s:%s" % (place, hit.decode()) for hit in pattern.findall(piece))
    for kind in ["shm", "msg", "sem"]:
        found.update("%s:%s" % (kind, line.split()[0].decode()) for line in read("/proc/sysvipc/" + kind).splitlines()[1:])
    return found, searched


left, searched = look()
fact("left", ",".join(sorted(left)) or "none")
fact("searched", searched)

fact("number_random", random.random())
fact("number_own_random", random.Random().random())
fact("number_urandom", os.urandom(8).hex())
fact("number_token", secrets.token_hex(8))
fact("number_openssl", ssl.RAND_bytes(8).hex())
fact("number_uuid4", uuid.uuid4())
fact("number_uuid1", uuid.uuid1())
fact("number_node", uuid.getnode())
fact("number_temporary", tempfile.mktemp())
fact("number_authkey", bytes(multiprocessing.current_process().authkey).hex())
buffer = ctypes.create_string_buffer(8)
system_call(318, buffer, 8, 0)
fact("number_getrandom", buffer.raw.hex())

secret = "faas-" + "left-%s" % os.urandom(8).hex()
os.environ["LEFT"] = secret
kept = [secret.encode() * 64 for _ in range(4096)]
for area in [os.getcwd(), "/tmp", "/dev/shm", "/code", "/var/tmp"]:
    try:
        with open(os.path.join(area, secret), "w") as file:
            file.write(secret)
    except OSError:
        pass
shared = system_call(29, 0x5AA5, 4096, 0o1600)[0]
if shared >= 0:
    libc.shmat.restype = ctypes.c_void_p
    address = libc.shmat(shared, None, 0)
    if address not in (None, ctypes.c_void_p(-1).value):
        ctypes.memmove(address, secret.encode(), len(secret))
system_call(68, 0x5AA5, 0o1600)
listener = socket.socket(socket.AF_UNIX)
try:
    listener.bind("\0" + secret)
    listener.listen()
except OSError:
    pass
# What is there is found.
places = [("memory", memory()), ("files", files())]
fact("found_own", ",".join(place for place, pieces in places if any(secret.encode() in pattern.findall(piece) for piece in pieces)))
say("done")
