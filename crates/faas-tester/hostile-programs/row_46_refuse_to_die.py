# Ways to outlive the end, chosen by WAY.
way = os.environ["WAY"]
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def daemon(depth):
    for _ in range(depth):
        if os.fork() > 0:
            os._exit(0)
        os.setsid()
    while True:
        time.sleep(0.05)


if way == "ignore":
    say("done")
    while True:
        time.sleep(0.05)
elif way == "stop":
    signal.signal(signal.SIGCONT, signal.SIG_DFL)
    say("done")
    os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)
elif way == "daemons":
    for depth in range(1, 9):
        child = os.fork()
        if child == 0:
            daemon(depth)
        os.waitpid(child, 0)
    say("done")
elif way == "stopped_daemons":
    for _ in range(8):
        if os.fork() == 0:
            os.setsid()
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(0)
    say("done")
elif way == "vfork":
    # A vfork whose child never execs holds its parent in an uninterruptible wait.
    # clone(CLONE_VFORK | SIGCHLD)
    result = libc.syscall(ctypes.c_long(56), ctypes.c_ulong(0x4000 | signal.SIGCHLD), 0, 0, 0, 0)
    if result == 0:
        say("done")
        while True:
            time.sleep(0.05)
