# A binary nobody has checked, run from memory: user code like any other, under the same filter.
code = "import ctypes; l = ctypes.CDLL(None, use_errno=True); r = l.syscall(272, 0x10000000); print('unshare', 'ALLOWED' if r == 0 else ctypes.get_errno())"
try:
    descriptor = os.memfd_create("unknown", 0)
except OSError as problem:
    fact("memfd", name_of(problem.errno))
    say("done")
    sys.exit(0)
with open("/usr/bin/python3", "rb") as source:
    while chunk := source.read(1 << 20):
        os.write(descriptor, chunk)
fact("memfd", "yes")
reader, writer = os.pipe()


def child():
    os.dup2(writer, 1)
    # fexecve of the C library: execveat with an empty path.
    arguments = (ctypes.c_char_p * 5)(b"python3", b"-I", b"-c", code.encode(), None)
    environment = (ctypes.c_char_p * 2)(b"PYTHONHOME=/usr", None)
    libc.fexecve(descriptor, arguments, environment)
    return ctypes.get_errno()


ended = in_child(child)
os.set_blocking(reader, False)
try:
    answer = os.read(reader, 4096).decode().strip()
except OSError:
    answer = "nothing"
fact("fexecve_ended", ended)
fact("fexecve_said", answer)
say("done")
