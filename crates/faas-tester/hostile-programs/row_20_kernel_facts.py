# Files that describe the kernel's memory and the machine. Absent, refused, empty and zeroed all pass.
import re


def shows(path, meaningful):
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as problem:
        say("try", path.strip("/").replace("/", "_"), name_of(problem.errno))
        return
    try:
        data = os.read(descriptor, 65536)
        say("try", path.strip("/").replace("/", "_"), "ALLOWED" if meaningful(data) else "EMPTY")
    except OSError as problem:
        say("try", path.strip("/").replace("/", "_"), name_of(problem.errno))
    finally:
        os.close(descriptor)


anything = bool
addresses = lambda data: bool(re.search(rb"^(?!0{8,16} )[0-9a-f]{8,16} ", data, re.M))
ranges = lambda data: any(int(start, 16) for start in re.findall(rb"^\s*([0-9a-f]+)-", data, re.M))
shows("/proc/kallsyms", addresses)
shows("/proc/modules", lambda data: bool(re.search(rb"0x(?!0{8,16})[0-9a-f]{8,16}", data)))
shows("/proc/iomem", lambda data: any(int(end, 16) for end in re.findall(rb"-([0-9a-f]+) :", data)))
for path in ["/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/latency_stats",
             "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/pagetypeinfo",
             "/proc/sysvipc/shm", "/sys/firmware/dmi/tables/DMI", "/sys/firmware/acpi/tables/DSDT", "/sys/firmware/efi/systab",
             "/sys/class/dmi/id/product_uuid", "/sys/kernel/notes", "/sys/kernel/vmcoreinfo", "/sys/kernel/security/lsm", "/sys/kernel/debug/sched/debug",
             "/sys/devices/virtual/powercap", "/sys/class/thermal/thermal_zone0/temp", "/var/log/dmesg", "/var/log/syslog", "/boot/config"]:
    if path == "/proc/sysvipc/shm":
        continue
    shows(path, lambda data: any(byte != 0 for byte in data))
for directory in ["/sys/firmware", "/sys/kernel", "/sys/module", "/proc/acpi", "/proc/scsi", "/boot", "/lib/modules", "/usr/src"]:
    try:
        entries = os.listdir(directory)
        say("try", "list_" + directory.strip("/").replace("/", "_"), "ALLOWED" if entries and directory.startswith(("/sys", "/proc")) else "EMPTY")
    except OSError as problem:
        say("try", "list_" + directory.strip("/").replace("/", "_"), name_of(problem.errno))
for action in [3, 10, 9, 2]:
    buffer = ctypes.create_string_buffer(4096)
    raw("syslog_%d" % action, 103, action, buffer, 4096)
say("done")
