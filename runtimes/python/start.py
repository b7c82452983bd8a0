"""Starts the runner: as the launcher had it compiled, where that was by this interpreter, else from its source.

A name of the compiled form is that of the source with a `c` behind it. No function of this file is below user
code on the stack, whose frames show no names of the runner's.
"""

import marshal
import posix
import sys

FOLDER = __file__.rpartition("/")[0]


def content_of(path):
    file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    content = posix.read(file, posix.fstat(file).st_size)
    posix.close(file)
    return content


def code_of(name):
    """The code of a file of this folder."""
    path = FOLDER + "/" + name
    magic = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
    try:
        compiled = content_of(path + "c")
    except OSError:
        compiled = b""
    if compiled.startswith(magic):
        return marshal.loads(compiled[len(magic) :])
    return compile(content_of(path), path, "exec", dont_inherit=True)


exec(code_of("runner.py"))
