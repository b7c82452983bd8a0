"""The handler of every warm Python row."""


def handle(request):
    return "hello"
