"""Counts words, with a module of its own beside it. What it has counted stays between calls."""

import os

from counting import most_common

calls = 0


def handle(request):
    global calls
    calls += 1
    text = request.get_json().get("text", "")
    words = most_common(text, int(os.environ["MOST"]))
    print(f"call {calls}: {len(text)} characters")
    return {"words": words}
