"""The results as a Markdown table, as JSON, and as the section of docs/BENCHMARKS.md."""

import re

BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"
TITLES = {
    ("ephemeral", 1): "A fresh sandbox for every run",
    ("warm", 1): "Warm, one client",
    ("warm", 32): "Warm, 32 clients",
}
LANGUAGES = {"python": "Python", "javascript": "JavaScript"}


def ours_of(result, results):
    """What it is compared with: the first of ours of the same work, where that was measured."""
    same = (result.row.group, result.row.language, result.clients)
    first = next(
        other for other in results
        if other.row.ours and (other.row.group, other.row.language, other.clients) == same
    )
    return first if first.samples else None


def ratio(result, results):
    """Our median by its median: below 1, we are faster."""
    ours = ours_of(result, results)
    return ours.percentile(50) / result.percentile(50) if ours and result.samples else None


def rate_ratio(result, results):
    """Our calls a second by its calls a second: above 1, we do more."""
    ours = ours_of(result, results)
    if ours is None or not result.elapsed or not ours.elapsed:
        return None
    return ours.per_second() / result.per_second()


def markdown(host, server, command, results):
    lines = [f"`{command}`", ""]
    lines += [header(host), "", ours_line(server), ""]
    for (group, clients), title in TITLES.items():
        part = [result for result in results if (result.row.group, result.clients) == (group, clients)]
        if part:
            lines += [f"**{title}**", "", *table(part, results, clients), ""]
    return "\n".join(lines).rstrip() + "\n"


def header(host):
    return (
        f"{host['cores']} cores ({host['processor']}), {host['memory_gib']} GiB, Linux {host['kernel']}, "
        f"cgroups {host['cgroups']}, {host['user']}; load average {host['load_before']} before the run."
    )


def ours_line(server):
    isolation = server["isolation"]
    return f"Ours: {server['version']}, isolation {isolation['level']}: {', '.join(isolation['layers'])}."


def table(part, results, clients):
    many = clients > 1
    heads = ["what", "version", "n", "p50", "p95", "p99", "ours/this"]
    heads += ["per second", "ours/this"] if many else []
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for result in part:
        what = f"{LANGUAGES[result.row.language]}: {result.row.title}"
        if result.starts:
            what += " (" + ", ".join(f"{kind} {count}×" for kind, count in sorted(result.starts.items())) + ")"
        if result.reason:
            reason = " ".join(result.reason.split()).replace("|", "\\|")
            cells = [what, result.version, "not measured: " + reason] + [""] * (len(heads) - 3)
        else:
            times = [milliseconds(result.percentile(percent)) for percent in (50, 95, 99)]
            cells = [what, result.version, str(len(result.samples)), *times, times_of(ratio(result, results))]
            cells += [f"{result.per_second():.0f}", times_of(rate_ratio(result, results))] if many else []
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def milliseconds(nanoseconds):
    return f"{nanoseconds / 1e6:.3f} ms" if nanoseconds < 1e6 else f"{nanoseconds / 1e6:.2f} ms"


def times_of(value):
    return "" if value is None else f"{value:.2f}×" if value >= 0.1 else f"{value:.3f}×"


def as_json(host, server, command, results):
    return {
        "command": command,
        "host": host,
        "ours": server,
        "rows": [row_json(result, results) for result in results],
    }


def row_json(result, results):
    row = result.row
    said = {"key": row.key, "title": row.title, "group": row.group, "language": row.language, "ours": row.ours,
            "clients": result.clients, "version": result.version or None, "reason": result.reason}
    if result.reason:
        return said
    return said | {
        "samples": len(result.samples),
        **{f"p{percent}_us": result.percentile(percent) / 1e3 for percent in (50, 95, 99)},
        "per_second": result.per_second(),
        "ours_by_this": ratio(result, results),
        "ours_by_this_per_second": rate_ratio(result, results),
        "starts": result.starts,
    }


def between_markers(document, section):
    """The document with this between its markers."""
    if document.count(BEGIN) != 1 or document.count(END) != 1:
        raise ValueError(f"it must have {BEGIN} and {END} once each")
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    replaced, count = pattern.subn(lambda _: f"{BEGIN}\n\n{section}\n{END}", document)
    if count != 1:
        raise ValueError(f"{END} stands before {BEGIN}")
    return replaced
