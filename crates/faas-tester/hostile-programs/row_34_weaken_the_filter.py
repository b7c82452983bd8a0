# Filters on top of ours, listeners that say "continue", and switches that would drop it.
PR_SET_MM, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 35, 22, 38
for option in range(1, 16):
    raw("set_mm_%d" % option, 157, PR_SET_MM, option, 0x10000, 0, 0)
raw("no_new_privs_off", 157, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)
for capability in [7, 12, 18, 19, 21, 25]:
    raw("ambient_raise_%d" % capability, 157, 47, 2, capability, 0, 0)
header = ctypes.create_string_buffer(struct.pack("<Ii", 0x20080522, 0))
everything = ctypes.create_string_buffer(struct.pack("<6I", *[0xFFFFFFFF] * 6))
raw("capset", 126, header, everything)
raw("securebits", 157, 28, 0x2F, 0, 0, 0)


def probe():
    """What an escape needs, under whatever filters there are now."""
    return "/".join(system_call(*call)[1] or "ALLOWED" for call in [(272, 0x10000000), (165, b"none", b"/tmp", b"tmpfs", 0, 0), (425, 8, 0)])


fact("before", probe())


def install(instructions, operation, flags):
    """SECCOMP_SET_MODE_FILTER through seccomp(2), or through prctl when flags is None."""
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("<H6xQ", len(instructions), ctypes.addressof(buffer)))
    if flags is None:
        return system_call(157, PR_SET_SECCOMP, 2, program, 0, 0)
    return system_call(317, operation, flags, program)


ALLOW = [(0x06, 0, 0, 0x7FFF0000)]
# load nr; unshare -> user notification; everything else allowed.
NOTIFY = [(0x20, 0, 0, 0), (0x15, 0, 1, 272), (0x06, 0, 0, 0x7FC00000), (0x06, 0, 0, 0x7FFF0000)]
# unshare -> trace event, which a tracer could turn into something else.
TRACE = [(0x20, 0, 0, 0), (0x15, 0, 1, 272), (0x06, 0, 0, 0x7FF00000), (0x06, 0, 0, 0x7FFF0000)]


def after(label, instructions, flags):
    reader, writer = os.pipe()

    def child():
        _, error = install(instructions, 1, flags)
        os.write(writer, ("%s %s" % (error or "INSTALLED", probe())).encode())
        return 0
    ended = in_child(child, 3.0)
    os.set_blocking(reader, False)
    try:
        installed, result = os.read(reader, 4096).decode().split(" ", 1)
    except OSError:
        installed, result = "UNKNOWN", str(ended)
    fact(label + "_installed", installed)
    fact(label, result)
    os.close(reader)
    os.close(writer)


after("allow_all_by_prctl", ALLOW, None)
after("allow_all_by_seccomp", ALLOW, 0)
after("allow_all_on_all_threads", ALLOW, 1)
after("listener", NOTIFY, 8)
after("tracer", TRACE, 0)
after("spec_allow", ALLOW, 4)
fact("after", probe())
raw("seccomp_mode_off", 157, PR_SET_SECCOMP, 0, 0, 0, 0)
say("done")
