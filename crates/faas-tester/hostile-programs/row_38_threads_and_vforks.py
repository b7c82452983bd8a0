# As many threads as there may be, then a storm of vforks.
threading.stack_size(65536)
stop = threading.Event()
started = 0
refusal = "none"
while started < 100000:
    try:
        threading.Thread(target=stop.wait, daemon=True).start()
    except (RuntimeError, MemoryError) as problem:
        refusal = type(problem).__name__
        break
    started += 1
fact("threads", started)
fact("refusal", refusal)
stop.set()
say("done")
while True:
    try:
        os.posix_spawn("/bin/true", ["true"], {})
    except OSError:
        pass
