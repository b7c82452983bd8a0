# Every descriptor the program was born with, and every way to use one as a way out.
found = []
for number in range(0, 4096):
    try:
        os.fstat(number)
        found.append(str(number))
    except OSError:
        pass
fact("descriptors", ",".join(found))
for number in range(3, 65):
    attempt("chdir_fd_%d" % number, lambda: os.chdir("/proc/self/fd/%d" % number))
    attempt("chdir_fd_%d_up" % number, lambda: os.chdir("/proc/self/fd/%d/../../../.." % number))
    attempt("chdir_init_fd_%d" % number, lambda: os.chdir("/proc/1/fd/%d" % number))
attempt("list_init_fds", lambda: os.listdir("/proc/1/fd"))
attempt("init_cwd", lambda: os.listdir("/proc/1/cwd/"))
attempt("init_root", lambda: os.listdir("/proc/1/root/"))
fact("cwd", os.getcwd())
say("done")
