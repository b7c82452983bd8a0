# Called once for each request. What it returns is the answer; what it prints is in the log.
# `faas invoke NAME --data '{"name": "you"}'`, then `faas logs NAME`
def handle(request):
    data = request.get_json() if request.body else {}
    name = data.get("name", "World")
    print("called by", name)
    return {"message": f"Hello, {name}!"}
