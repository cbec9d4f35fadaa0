"""Medians, ratios, tables, and verdicts against limits."""

import json
import math
import statistics

import machine
import workloads


def table(heads, rows):
    """A Markdown table that also reads well as plain text: the first column to the left, the others to the right."""
    widths = [max(len(str(line[column])) for line in [heads, *rows]) for column in range(len(heads))]

    def line(cells):
        padded = [str(cell).ljust(width) if column == 0 else str(cell).rjust(width)
                  for column, (cell, width) in enumerate(zip(cells, widths))]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    return "\n".join([line(heads), line(rule), *map(line, rows)])


def seconds(value):
    """Three digits that matter."""
    if value is None:
        return "–"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def percentile(values, part):
    """The value that `part` (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(part * len(ordered)) - 1))]


def medians(samples):
    """{row: {system: median}} of {row: {system: [seconds]}}."""
    return {row: {system: statistics.median(taken) for system, taken in by_system.items() if taken}
            for row, by_system in samples.items()}


def ratios(middle, of="podfs", to="gocryptfs"):
    """{row: of / to} where both were measured."""
    return {row.name: middle[row.name][of] / middle[row.name][to] for row in workloads.ROWS
            if {of, to} <= set(middle.get(row.name, {}))}


def geometric_mean(values):
    """The mean that fits ratios, or None of none."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def broken_by_publishing(middle):
    """Where publishing slows the folder by more than it may, in words."""
    found = ratios(middle, of="podfs-publishing", to="podfs")
    broken = [f"{row}: {ratio:.2f} of the time without publishing, at most {workloads.PUBLISHING_LIMIT} is allowed"
              for row, ratio in found.items() if ratio > workloads.PUBLISHING_LIMIT]
    mean = geometric_mean(list(found.values()))
    if mean is not None and mean > workloads.PUBLISHING_MEAN_LIMIT:
        broken.append(f"geometric mean with publishing: {mean:.2f}, at most {workloads.PUBLISHING_MEAN_LIMIT} is allowed")
    return broken


def broken_limits(found):
    """Which limits the ratios break, in words."""
    broken = [f"{row.name}: {found[row.name]:.2f} of gocryptfs, at most {row.limit} is allowed"
              for row in workloads.ROWS if found.get(row.name, 0) > row.limit]
    mean = geometric_mean(list(found.values()))
    if mean is not None and mean > workloads.MEAN_LIMIT:
        broken.append(f"geometric mean: {mean:.2f}, at most {workloads.MEAN_LIMIT} is allowed")
    return broken


def comparison(samples, systems, size):
    """The table of a comparison and the line below it."""
    middle = medians(samples)
    found = ratios(middle)
    judged = bool(found)
    heads = ["seconds (medians)", *systems] + (["podfs / gocryptfs", "limit"] if judged else [])
    rows = []
    for row in workloads.ROWS:
        if row.name in samples:
            line = [row.title.format(size=size // machine.MIB)]
            line += [seconds(middle[row.name].get(system)) for system in systems]
            if judged:
                ratio = found.get(row.name)
                mark = "" if ratio is None or ratio <= row.limit else " ✗"
                line += ["–" if ratio is None else f"{ratio:.2f}{mark}", f"{row.limit:.2f}"]
            rows.append(line)
    mounts = middle.get("mount", {})
    mount = ["mount until the folder answers", *(seconds(mounts.get(system)) for system in systems)]
    rows.append(mount + (["", ""] if judged else []))
    text = table(heads, rows)
    if judged:
        over = "the twelve rows" if len(found) == len(workloads.ROWS) else f"{len(found)} of the twelve rows"
        text += (f"\n\nGeometric mean of podfs / gocryptfs over {over}: "
                 f"{geometric_mean(list(found.values())):.2f} (limit {workloads.MEAN_LIMIT})")
    return text


def comparison_json(samples, about):
    """Everything a program may want to know of a comparison."""
    middle = medians(samples)
    found = ratios(middle)
    rows = {row: {system: {"median": middle[row].get(system), "seconds": taken} for system, taken in by_system.items()}
            for row, by_system in samples.items()}
    return json.dumps({**about, "rows": rows, "podfs_to_gocryptfs": found,
                       "geometric_mean": geometric_mean(list(found.values())),
                       "broken_limits": broken_limits(found)}, indent=1)


class Verdicts:
    """Measured values against their limits, for the measurements that pass or fail."""

    def __init__(self):
        self.lines = []

    def note(self, what, value, unit):
        """A value without a limit."""
        self.lines.append({"what": what, "value": value, "limit": None, "unit": unit, "ok": True})

    def under(self, what, value, limit, unit):
        """A value that must stay under its limit."""
        self.lines.append({"what": what, "value": value, "limit": limit, "unit": unit, "ok": value < limit})

    def holds(self, what, good, found):
        """Something that must be so; `found` says how it was."""
        self.lines.append({"what": what, "value": found, "limit": None, "unit": "", "ok": bool(good)})

    def passed(self):
        """No limit was broken."""
        return all(line["ok"] for line in self.lines)

    def text(self):
        """The table, for people."""
        def shown(value):
            return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else (
                f"{value:.0f}" if isinstance(value, float) else str(value))

        rows = [[line["what"], shown(line["value"]), "" if line["limit"] is None else shown(line["limit"]),
                 line["unit"], "ok" if line["ok"] else "BROKEN"] for line in self.lines]
        return table(["measured", "value", "limit", "unit", ""], rows)

    def print(self, about, as_json):
        """Table or JSON on standard output; returns the exit code."""
        if as_json:
            print(json.dumps({**about, "passed": self.passed(), "values": self.lines}, indent=1))
        else:
            print(f"{self.text()}\n\n{machine.sentence(about)}")
        return 0 if self.passed() else 1
