# Leaves the writable areas full of symlinks to the host's directories, so that a cleanup which
# follows one deletes there. PRECIOUS is a host directory that anybody may write.
precious = os.environ["PRECIOUS"]
here = os.getcwd()
for number in range(50):
    try:
        os.symlink(precious, os.path.join(here, "link-%d" % number))
        os.symlink("/", os.path.join(here, "root-%d" % number))
    except OSError:
        break
try:
    os.makedirs("deep/er", exist_ok=True)
    os.rename("deep", "moved")
    os.symlink(precious, "deep")
except OSError:
    pass
# And the directory itself swapped for a symlink.
outcome = "SWAPPED"
try:
    os.chdir("/")
    os.rename(here, here + ".old")
    os.symlink("/", here)
except OSError as problem:
    outcome = name_of(problem.errno)
fact("swap", outcome)
fact("precious_visible", os.path.exists(precious))
say("done")
