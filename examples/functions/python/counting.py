from collections import Counter


def most_common(text, count):
    return dict(Counter(text.lower().split()).most_common(count))
