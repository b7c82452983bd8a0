# fsync without pause, and writes past the page cache, from several processes.
import mmap


def storm(number):
    flags = os.O_CREAT | os.O_RDWR
    try:
        descriptor = os.open("direct-%d" % number, flags | os.O_DIRECT)
    except OSError:
        descriptor = os.open("direct-%d" % number, flags)
    block = mmap.mmap(-1, 65536)
    while True:
        try:
            os.pwrite(descriptor, block, 0)
            os.fsync(descriptor)
            os.sync()
        except OSError:
            pass


for number in range(8):
    if os.fork() == 0:
        storm(number)
storm(99)
