# Trees a careless cleanup fails on: very deep, oddly named, without permissions, immutable.
import fcntl
DEPTH = int(os.environ["DEPTH"])
home = os.open(".", os.O_RDONLY)
odd = [b"new\nline", b"x" * 255, b"\xff\xfe\x80", b"-rf", b" ", b"\x1b]0;title\x07", b"*", b"~", b"$(touch faas-hostile)", "\u202etxt".encode()]
for name in odd:
    try:
        os.mkdir(name)
        os.close(os.open(name + b"/" + name[:100], os.O_CREAT | os.O_WRONLY))
    except OSError as problem:
        fact("odd", name_of(problem.errno))
os.makedirs("closed/inner/more")
open("closed/inner/file", "w").close()
descriptor = os.open("closed/inner/file", os.O_RDONLY)
try:
    fcntl.ioctl(descriptor, 0x40086602, struct.pack("<l", 0x10))
    fact("immutable", "ALLOWED")
except OSError as problem:
    fact("immutable", name_of(problem.errno))
os.mkfifo("fifo")
socket.socket(socket.AF_UNIX).bind("socket")
for path in ["closed/inner/more", "closed/inner", "closed"]:
    os.chmod(path, 0)
depth = 0
try:
    while depth < DEPTH:
        os.mkdir("d")
        os.chdir("d")
        depth += 1
except OSError as problem:
    fact("depth_ended", name_of(problem.errno))
fact("depth", depth)
os.fchdir(home)
os.chmod(".", 0)
say("done")
