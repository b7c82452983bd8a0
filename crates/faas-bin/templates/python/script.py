# Runs from top to bottom for each call. The call's data is JSON in FAAS_INPUT.
import json
import os

data = json.loads(os.environ.get("FAAS_INPUT", "{}"))
print(f"Hello, {data.get('name', 'World')}!")
