#!/vm/busybox sh
# First process of the test machine: sets it up as an ordinary cgroup v2 host, runs the suites listed
# in /vm/suites one after another, reports each on the console, and ends the machine.
# A line of /vm/suites is NAME|SECONDS|USER|COMMAND, where USER is root or ordinary.
b=/vm/busybox
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root

if [ "$1" != moved ]; then
    # pivot_root(2) refuses the initial file system as the old root, and every sandbox pivots: put a
    # mount of the same files over it and live there.
    $b mount -o bind / /vm/root
    cd /vm/root || exit 1
    $b mount -o move . /
    exec $b chroot . /vm/init moved
fi

$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
$b mkdir -p /dev/pts /dev/shm
$b mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
for place in /dev/shm /tmp /var/tmp; do $b mount -t tmpfs -o mode=1777 tmpfs $place; done
$b mount -t tmpfs -o mode=755 tmpfs /run
$b ln -sfn /proc/self/fd /dev/fd
$b mkdir -p -m 0700 /run/user/1000
$b chown 1000:1000 /run/user/1000
# As on a host run by systemd: what a sandbox mounts would show here if it did not cut itself off.
/usr/bin/mount --make-rshared /
$b ip link set lo up
$b hostname vm
for module in /vm/modules/*.ko; do $b insmod "$module"; done

# With /sys/fs/cgroup as cgroup v2. The ordinary user gets a subtree as a login manager delegates it:
# the directory and its control files are his, and processes live in leaves only.
$b mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo "+cpu +memory +pids" > /sys/fs/cgroup/cgroup.subtree_control
delegated=/sys/fs/cgroup/ordinary
$b mkdir $delegated
echo "+cpu +memory +pids" > $delegated/cgroup.subtree_control
$b mkdir $delegated/session
for directory in $delegated $delegated/session; do
    $b chown 1000:1000 $directory
    for file in cgroup.procs cgroup.threads cgroup.subtree_control; do $b chown 1000:1000 $directory/$file; done
done

nonce=$($b cat /vm/nonce)
# Leads with a line break: a suite may have left its last line open.
mark() { printf '\n@@vm:%s:%s\n' "$nonce" "$*"; }

set -a
. /vm/environment
set +a

while IFS='|' read -r name seconds user command <&3; do
    mark "begin $name"
    if [ "$user" = root ]; then
        $b timeout -s KILL "$seconds" /bin/bash -c "$command" < /dev/null 3<&-
        code=$?
    else
        (
            echo 0 > $delegated/session/cgroup.procs
            export HOME=/tmp XDG_RUNTIME_DIR=/run/user/1000
            exec $b timeout -s KILL "$seconds" /usr/bin/setpriv --reuid 1000 --regid 1000 --clear-groups \
                --inh-caps=-all --bounding-set=-all /bin/bash -c "$command" < /dev/null 3<&-
        )
        code=$?
    fi
    if [ $code -ne 0 ]; then
        echo "last messages of the kernel:"
        $b dmesg | $b tail -n 25
    fi
    mark "end $name $code"
done 3< /vm/suites

mark done
$b reboot -f
