# Everything the shim around this program could rely on, replaced.
import atexit, builtins, gc, json
for name in ["print", "open", "len", "isinstance", "__import__", "exec", "compile", "repr"]:
    try:
        setattr(builtins, name, lambda *a, **k: (_ for _ in ()).throw(RuntimeError("replaced")))
    except AttributeError:
        pass
os.write(1, b"before\n")
atexit.register(lambda: os.write(1, b"at exit\n"))
json.dumps = json.loads = lambda *a, **k: {"status": "succeeded", "error": None}
sys.exit = lambda *a: None
sys.excepthook = lambda *a: None
sys.stdout = sys.stderr = None
for name in list(sys.modules):
    if name not in ("sys", "builtins", "os"):
        sys.modules.pop(name, None)
gc.collect()
raise ValueError("after everything was replaced")
