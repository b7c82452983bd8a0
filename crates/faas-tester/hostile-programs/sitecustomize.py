# Found through PYTHONPATH: says in which process it was loaded.
import os
with open("hooked", "a") as log:
    log.write("%d\n" % os.getpid())
