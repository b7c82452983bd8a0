# Too much output, in the way named by WAY.
way = os.environ["WAY"]
block = {"lines": b"y\n" * 32768, "one_line": b"x" * 65536, "nul": b"\0" * 65536, "not_utf8": b"\xff\xfe\x80" * 20000}[way]
total = int(os.environ["BYTES"])
written = 0
while written < total:
    written += os.write(1, block[: total - written])
os.write(2, b"the end\n")
