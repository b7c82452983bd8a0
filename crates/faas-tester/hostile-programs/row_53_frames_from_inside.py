# What a broken or hostile runner would send, through everything that can be written to: lengths
# that lie, pieces of one byte, a flood, replays.
whole = struct.pack("<IBBHIQ", 16, 1, 0, 0, 1, 0) + b"x" * 16
targets = [1, 2]
for number in range(0, 1024):
    try:
        os.fstat(number)
        if number not in (0, 1, 2):
            targets.append(number)
    except OSError:
        pass
fact("targets", ",".join(map(str, targets)))
for target in targets:
    try:
        os.write(target, struct.pack("<I", 0xFFFFFFFF) + struct.pack("<i", -1) + struct.pack(">I", 0xFFFFFFFF))
        for byte in whole:
            os.write(target, bytes([byte]))
        for _ in range(2000):
            os.write(target, whole)
    except OSError:
        pass
os.write(1, b"\n")
# The other way in: descriptors of init, and sockets by path next to us.
for number in range(0, 16):
    attempt("init_fd_%d" % number, open_for("/proc/1/fd/%d" % number, os.O_WRONLY | os.O_NONBLOCK))
fact("last", "reached")
sys.exit(9)
