# Sockets of the host: by abstract name, by path, on its loopback.
def connect(family, address):
    def action():
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(2)
            try:
                client.connect(address)
            except TimeoutError:
                raise OSError(errno.ETIMEDOUT, "no answer")
    return action


def from_environment(name):
    return os.environ[name]


abstract = from_environment("HOST_ABSTRACT")
attempt("abstract_of_the_host", connect(socket.AF_UNIX, "\0" + abstract))
attempt("path_of_the_host", connect(socket.AF_UNIX, from_environment("HOST_SOCKET")))
attempt("loopback_of_the_host", connect(socket.AF_INET, ("127.0.0.1", int(from_environment("HOST_PORT")))))
for name in ["containerd-shim", "/containerd-shim/1.sock", "/tmp/.X11-unix/X0", "/tmp/dbus-hostile", "faas", "faas-launcher"]:
    attempt("abstract_" + name.strip("/").replace("/", "_"), connect(socket.AF_UNIX, "\0" + name))
for path in ["/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket", "/run/systemd/private",
             "/run/systemd/notify", "/run/faas.sock", "/run/faas/launcher.sock", "/dev/log", "/run/snapd.socket", "/run/podman/podman.sock"]:
    attempt("path_" + path.strip("/").replace("/", "_"), connect(socket.AF_UNIX, path))
for address in ["169.254.169.254", "10.0.0.1", "172.17.0.1", "192.168.0.1", "1.1.1.1"]:
    attempt("tcp_" + address.replace(".", "_"), connect(socket.AF_INET, (address, 80)))
with open("/proc/net/unix") as table:
    names = table.read()
fact("host_name_in_table", abstract in names)
say("done")
