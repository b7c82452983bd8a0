# The host's clock and names. The clock is only ever set to what it shows.
now = struct.pack("<QQ", int(time.time()), 0)
raw("clock_settime", 227, 0, ctypes.c_char_p(now))
raw("settimeofday", 164, ctypes.c_char_p(now), 0)
raw("settimeofday_zone", 164, 0, ctypes.c_char_p(struct.pack("<ii", 0, 0)))
# ADJ_TICK with the tick there is by default.
timex = struct.pack("<I4x", 0x4000) + b"\0" * 72 + struct.pack("<q", 10000) + b"\0" * 200
raw("adjtimex", 159, ctypes.create_string_buffer(timex))
raw("clock_adjtime", 305, 0, ctypes.create_string_buffer(timex))
raw("sethostname", 170, b"faas-hostile", 12)
raw("setdomainname", 171, b"faas-hostile", 12)
attempt("open_rtc", open_for("/dev/rtc0"))
raw("wake_alarm", 222, 8, 0, ctypes.create_string_buffer(8))
say("done")
