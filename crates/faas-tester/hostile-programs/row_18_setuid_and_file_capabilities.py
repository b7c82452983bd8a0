# Privilege from a file: setuid programs of the root, a copy with the bit set, an uploaded one, capabilities.
import shutil, subprocess
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
for field in ["NoNewPrivs", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
    fact(field, status[field].strip())
fact("uids", status["Uid"].split()[0:4] == [status["Uid"].split()[0]] * 4)
own = os.getuid()
code = "import os; print(os.geteuid(), open('/proc/self/status').read().split('CapEff:')[1].split()[0])"


def run(label, command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10)
        answer = done.stdout.decode(errors="replace").strip()
    except OSError as problem:
        fact(label, "refused-" + name_of(problem.errno))
        return
    fact(label, "unchanged" if answer in ("", "%d 0000000000000000" % own) else "CHANGED-" + answer.replace(" ", "-"))


shutil.copy("/usr/bin/python3", "copy")
try:
    os.chmod("copy", 0o6755)
except OSError as problem:
    fact("chmod_suid", name_of(problem.errno))
run("suid_copy", ["./copy", "-I", "-c", code])
attempt("chown_root", lambda: os.chown("copy", 0, 0) if own != 0 else os.chown("copy", 1, 1))
capability = struct.pack("<IIIII", 0x02000001, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0)
try:
    os.setxattr("copy", "security.capability", capability)
    fact("setxattr", "ALLOWED")
except OSError as problem:
    fact("setxattr", name_of(problem.errno))
run("capability_copy", ["./copy", "-I", "-c", code])
if os.path.exists("uploaded-suid"):
    run("uploaded_suid", ["./uploaded-suid", "-I", "-c", code])
def run_installed(program):
    """Runs a program into a full pipe, so that it stands still and shows what it became."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    label = "exec_" + os.path.basename(program)
    try:
        child = subprocess.Popen([program, "--help"], stdout=writer, stderr=writer, stdin=subprocess.DEVNULL)
    except OSError as problem:
        fact(label, "refused-" + name_of(problem.errno))
        return
    became = "ended"
    for _ in range(100):
        with open("/proc/%d/status" % child.pid) as file:
            now = dict(line.split(":", 1) for line in file.read().splitlines())
        if now["Name"].strip() != os.path.basename(sys.executable or "python3") and now["State"].strip().startswith("S"):
            same = set(now["Uid"].split()) == {str(own)} and int(now["CapEff"], 16) == 0
            became = "unchanged" if same else "CHANGED-" + "-".join(now["Uid"].split())
            break
        if now["State"].strip().startswith("Z"):
            break
        time.sleep(0.01)
    fact(label, became)
    child.kill()
    child.wait()
    os.close(reader)
    os.close(writer)


for program in ["/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd", "/usr/bin/chsh", "/usr/bin/gpasswd", "/usr/bin/newgrp", "/usr/bin/sudo", "/usr/bin/ping"]:
    if os.path.exists(program):
        run_installed(program)
raw("setuid_root", 105, 0 if own != 0 else 12345)
raw("setgid_root", 106, 0 if os.getgid() != 0 else 12345)
raw("setresuid_host", 117, 12345, 12345, 12345)
raw("setgroups", 116, 1, ctypes.c_char_p(struct.pack("<I", 0)))
# What is mounted over something else counts; a single device node has neither files nor other devices.
topmost = {}
for line in open("/proc/self/mountinfo"):
    fields = line.split()
    topmost[fields[4]] = (fields[3], set(fields[5].split(",")))
devices = ("/null", "/zero", "/full", "/random", "/urandom", "/tty")
missing = [point for point, (root, options) in topmost.items()
           if "rw" in options and not {"nosuid", "nodev"} <= options and not root.endswith(devices)]
fact("writable_mounts_without_nosuid_nodev", ",".join(missing) or "none")
say("done")
