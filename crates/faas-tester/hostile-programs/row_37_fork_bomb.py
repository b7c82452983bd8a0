# Forks until refused, then keeps a self-renewing crowd alive: each ends and has a successor.
started = 0
refusal = "none"
children = []
while started < 5000:
    try:
        child = os.fork()
    except OSError as problem:
        refusal = name_of(problem.errno)
        break
    if child == 0:
        signal.pause()
        os._exit(0)
    children.append(child)
    started += 1
fact("started", started)
fact("refusal", refusal)
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
say("done")
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    try:
        if os.fork() > 0 and os.getppid() != 1:
            continue
    except OSError:
        os.setsid() if os.getpgrp() != os.getpid() else None
