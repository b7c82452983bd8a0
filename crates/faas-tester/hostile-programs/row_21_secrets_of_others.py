# Environments, command lines and files that belong to somebody else.
def init_environ():
    with open("/proc/1/environ", "rb") as file:
        if not file.read():
            raise OSError(errno.ENODATA, "empty")


attempt("init_environ", init_environ)
pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
fact("visible_processes", len(pids))
foreign = []
for pid in pids:
    try:
        line = open("/proc/%d/cmdline" % pid, "rb").read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        continue
    # The names the harness and its helpers have on the host.
    if any(word in line for word in ["hostile-", "setpriv", "cargo", "systemd", "sshd"]) and "row_21" not in line:
        foreign.append(str(pid))
fact("foreign_processes", ",".join(foreign) or "none")
for label, path in [("shadow", "/etc/shadow"), ("gshadow", "/etc/gshadow"), ("sudoers", "/etc/sudoers"), ("root_ssh", "/root/.ssh"), ("root_home", "/root/.bashrc"),
                    ("ssh_host_key", "/etc/ssh/ssh_host_ed25519_key"), ("var_lib", "/var/lib/faas"), ("dpkg", "/var/lib/dpkg/status"), ("etc_faas", "/etc/faas"),
                    ("planted_secret", os.environ["PLANTED_SECRET"]), ("binary", os.environ["PLATFORM_BINARY"]), ("machine_id", "/etc/machine-id"),
                    ("host_run", os.environ.get("HOST_RUN", "/run/user"))]:
    attempt(label, lambda: os.stat(path) and (os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)))
try:
    homes = os.listdir("/home")
except OSError:
    homes = []
fact("homes", ",".join(homes) or "none")
found = []
for base, directories, files in os.walk("/", followlinks=False):
    if base.startswith(("/proc", "/sys", "/usr", "/dev")):
        directories[:] = []
        continue
    for name in files:
        if name.endswith((".sqlite", ".db", ".pem", ".key")) or name == "planted-secret":
            found.append(os.path.join(base, name))
fact("secret_looking_files", ",".join(found) or "none")
fact("environment", ",".join(sorted(os.environ)))
say("done")
