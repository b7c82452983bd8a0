# The first process of the sandbox, traced, read, written and robbed of its descriptors.
for label, pid in [("init", 1), ("parent", os.getppid())]:
    if pid in (0, os.getpid()):
        continue
    raw("ptrace_attach_" + label, 101, 16, pid, 0, 0)
    raw("ptrace_seize_" + label, 101, 0x4206, pid, 0, 0)
    local = ctypes.create_string_buffer(64)
    local_vector = struct.pack("<QQ", ctypes.addressof(local), 64)
    remote_vector = struct.pack("<QQ", 0x400000, 64)
    raw("process_vm_readv_" + label, 310, pid, ctypes.c_char_p(local_vector), 1, ctypes.c_char_p(remote_vector), 1, 0)
    raw("process_vm_writev_" + label, 311, pid, ctypes.c_char_p(local_vector), 1, ctypes.c_char_p(remote_vector), 1, 0)
    raw("kcmp_" + label, 312, pid, os.getpid(), 0, 0, 0)
    descriptor, error = system_call(434, pid, 0)
    if error:
        say("try", "pidfd_getfd_" + label, error)
    else:
        for number in range(0, 32):
            raw("pidfd_getfd_%s_%d" % (label, number), 438, descriptor, number, 0)
        raw("process_madvise_" + label, 440, descriptor, ctypes.c_char_p(remote_vector), 1, 4, 0)
    for entry in ["mem", "environ", "auxv", "maps", "syscall", "stack", "personality", "pagemap", "map_files", "io", "clear_refs"]:
        flags = os.O_RDONLY if entry not in ("clear_refs",) else os.O_WRONLY

        def read():
            path = "/proc/%d/%s" % (pid, entry)
            if entry == "map_files":
                return os.listdir(path)
            handle = os.open(path, flags)
            try:
                if entry == "mem":
                    os.pread(handle, 16, 0x400000)
                elif entry != "clear_refs":
                    # An empty answer gives nothing away.
                    if not os.read(handle, 64):
                        raise OSError(errno.ENODATA, "empty")
            finally:
                os.close(handle)
        attempt("proc_%s_%s" % (label, entry), read)
# In a child: a process that is traced after all stops at its next signal.
in_child(lambda: 0 if raw("ptrace_traceme", 101, 0, 0, 0, 0) else 0, 2.0)
# Signals to init from inside its own namespace must do nothing.
for number in [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV]:
    try:
        os.kill(1, number)
    except OSError:
        pass
fact("alive_after_killing_init", "yes")
say("done")
