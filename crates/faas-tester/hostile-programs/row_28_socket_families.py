# Every address family there is. Only unix, inet and inet6 may open, and none of them raw.
TYPES = {"stream": 1, "datagram": 2, "raw": 3, "seqpacket": 5}
for family in range(0, 64):
    opened = []
    refusals = set()
    for label, kind in TYPES.items():
        for protocol in (0, 1, 16, 0x300) if family in (16, 17) else (0,):
            result, error = system_call(41, family, kind, protocol)
            if error is None:
                opened.append(label)
                os.close(result)
            else:
                refusals.add(error)
    if family not in (1, 2, 10):
        say("try", "family_%d" % family, "ALLOWED" if opened else "/".join(sorted(refusals)))
    else:
        fact("family_%d" % family, ",".join(opened) or "none")
for family in (2, 10):
    for protocol in (0, 1, 58, 255):
        raw("raw_%d_%d" % (family, protocol), 41, family, 3, protocol)
pair = (ctypes.c_int * 2)()
for family in (16, 17, 38, 40):
    raw("socketpair_%d" % family, 53, family, 1, 0, pair)
# The filter must look at 32 bits of the argument as the kernel does.
for family in (16, 38, 40):
    raw("high_bits_%d" % family, 41, (1 << 32) | family, 3, 0)
say("done")
