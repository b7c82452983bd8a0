# Devices made and devices opened.
for directory in [os.getcwd(), "/tmp", "/dev", "/dev/shm", "/var/tmp", "/run"]:
    if not os.path.isdir(directory):
        continue
    label = directory.strip("/").replace("/", "_") or "cwd"
    for kind, mode, major, minor in [("disk", 0o060666, 8, 0), ("vda", 0o060666, 254, 0), ("mem", 0o020666, 1, 1), ("kvm", 0o020666, 10, 232)]:
        path = os.path.join(directory, "faas-hostile-" + kind)
        attempt("mknod_%s_%s" % (kind, label), lambda: os.mknod(path, mode, os.makedev(major, minor)))
for device in ["mem", "kmem", "port", "kvm", "vda", "vda1", "sda", "sda1", "nvme0n1", "dm-0", "loop-control", "loop0", "net/tun", "fuse",
               "kmsg", "vhost-net", "vhost-vsock", "vsock", "userfaultfd", "mapper/control", "cuse", "uinput", "hpet", "snapshot",
               "rtc0", "watchdog", "autofs", "btrfs-control", "cpu/0/msr", "cpu_dma_latency", "dri/card0", "input/event0", "console", "tty0", "ttyS0"]:
    attempt("open_" + device.replace("/", "_"), open_for("/dev/" + device, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
say("done")
