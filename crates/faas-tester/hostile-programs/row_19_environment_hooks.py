# What loaders and interpreters run because a variable says so must run in the user's process only.
fact("pid", os.getpid())
fact("hooks_seen", ",".join(sorted(name for name in os.environ if name in ("LD_PRELOAD", "LD_AUDIT", "PYTHONPATH", "NODE_OPTIONS", "BASH_ENV", "PYTHONSTARTUP"))))
try:
    with open("hooked", encoding="utf-8") as log:
        fact("hooked_pids", ",".join(log.read().split()))
except OSError:
    fact("hooked_pids", "none")
# Long enough for the host to look at every process's environment.
time.sleep(1 * TIME_FACTOR)
say("done")
