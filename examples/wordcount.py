"""Counts the words of the files named as arguments, the most frequent first."""

import collections
import re
import sys

counts = collections.Counter()
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as text:
        for line in text:
            counts.update(re.findall(r"\w+", line.lower()))

for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:5]:
    print(f"{count:4} {word}")
