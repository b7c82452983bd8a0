# All the descriptors there may be, in this process and in forty others at once.
def exhaust():
    count = 0
    try:
        while count < 5_000_000:
            os.open("/dev/null", os.O_RDONLY)
            count += 1
    except OSError as problem:
        return count, name_of(problem.errno)
    return count, "none"


reader, writer = os.pipe()
for _ in range(40):
    try:
        if os.fork() == 0:
            count, refusal = exhaust()
            os.write(writer, ("%d %s\n" % (count, refusal)).encode())
            signal.pause()
            os._exit(0)
    except OSError:
        break
count, refusal = exhaust()
fact("opened", count)
fact("refusal", refusal)
time.sleep(1)
os.set_blocking(reader, False)
try:
    lines = os.read(reader, 65536).decode().split("\n")
except OSError:
    lines = []
fact("children_refusals", ",".join(sorted({line.split()[1] for line in lines if line})) or "none")
say("done")
