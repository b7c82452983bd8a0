# Runs for each call with its data as JSON in the first argument. The last JSON document that it prints is the
# answer; one with "error" in it says that the call failed.
import json
import sys

data = json.loads(sys.argv[1])
print(json.dumps({"message": f"Hello, {data.get('name', 'World')}!"}))
