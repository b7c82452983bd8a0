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
started = 0
for _ in range(40):
    try:
        if os.fork() == 0:
            count, refusal = exhaust()
            os.write(writer, ("%d %s\n" % (count, refusal)).encode())
            signal.pause()
            os._exit(0)
        started += 1
    except OSError:
        break
count, refusal = exhaust()
fact("opened", count)
fact("refusal", refusal)
answers = b""
# A child that gave no answer ends the wait at the limit of the run, and so is seen.
while answers.count(b"\n") < started:
    answers += os.read(reader, 65536)
fact("children_refusals", ",".join(sorted({line.split()[1] for line in answers.decode().splitlines()})) or "none")
say("done")
