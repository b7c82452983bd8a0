# Writes meant for a security label or a limit, redirected by a symlink to a switch of the kernel.
os.mkdir("redirect")
for switch in ["kernel/core_pattern", "kernel/hostname", "kernel/modprobe", "kernel/sysrq", "vm/drop_caches",
               "vm/overcommit_memory", "fs/file-max", "fs/suid_dumpable", "kernel/pid_max", "kernel/yama/ptrace_scope",
               "kernel/unprivileged_bpf_disabled", "user/max_user_namespaces", "net/ipv4/ip_forward"]:
    link = "redirect/" + switch.replace("/", "_")
    os.symlink("/proc/sys/" + switch, link)
    # Opening is enough to know; writing back what is there would hide a success.
    attempt("sys_" + switch.replace("/", "_"), open_for(link, os.O_WRONLY))
for label in ["current", "exec", "fscreate", "keycreate", "sockcreate"]:
    attempt("attr_" + label, write_to("/proc/self/attr/" + label, b"unconfined"))
    attempt("task_attr_" + label, write_to("/proc/self/task/%d/attr/%s" % (os.getpid(), label), b"unconfined"))
attempt("uid_map", write_to("/proc/self/uid_map", b"0 0 1"))
attempt("gid_map", write_to("/proc/self/gid_map", b"0 0 1"))
attempt("setgroups", write_to("/proc/self/setgroups", b"allow"))
attempt("oom_score_adj", write_to("/proc/self/oom_score_adj", b"-1000"))
attempt("init_oom_score_adj", write_to("/proc/1/oom_score_adj", b"-1000"))
attempt("loginuid", write_to("/proc/self/loginuid", b"1"))
say("done")
