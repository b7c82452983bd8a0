# The runtime's own binary, reached through /proc/PID/exe, opened for writing: at once, through a
# path descriptor, and by running it as "#!/proc/self/exe" so that only the runtime holds it open.
def reopen(path):
    def action():
        handle = os.open(path, os.O_PATH)
        try:
            for _ in range(200):
                try:
                    os.close(os.open("/proc/self/fd/%d" % handle, os.O_WRONLY))
                    return
                except OSError as problem:
                    if problem.errno != errno.ETXTBSY:
                        raise
            raise OSError(errno.ETXTBSY, "busy for good")
        finally:
            os.close(handle)
    return action


for pid in ["self", "1", str(os.getppid())]:
    exe = "/proc/%s/exe" % pid
    label = "ppid" if pid not in ("self", "1") else pid
    attempt("write_%s_exe" % label, open_for(exe, os.O_WRONLY))
    attempt("truncate_%s_exe" % label, open_for(exe, os.O_WRONLY | os.O_TRUNC))
    attempt("reopen_%s_exe" % label, reopen(exe))

with open("again", "w") as script:
    script.write("#!/proc/self/exe\nraise SystemExit(0)\n")
os.chmod("again", 0o755)
child = os.fork()
if child == 0:
    try:
        os.execv("./again", ["./again"])
    except OSError:
        pass
    os._exit(0)
attempt("reopen_exe_of_the_shebang_child", reopen("/proc/%d/exe" % child))
os.waitpid(child, 0)
say("done")
