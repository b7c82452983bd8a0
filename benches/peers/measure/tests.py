"""What can be wrong without a peer: numbers, tables, markers, answers. `python3 -m unittest measure.tests`"""

import sys
import unittest

from . import host, report
from .ours import is_whole
from .process import Unavailable, checked, environment, timed
from .rotation import Result, in_turn
from .rows import ROWS, Opened, chosen


def row(key):
    return next(row for row in ROWS if row.key == key)


class Numbers(unittest.TestCase):
    def test_percentiles_are_samples_by_nearest_rank(self):
        result = Result(row("bwrap"), 1, samples=list(range(100, 0, -1)))
        self.assertEqual([result.percentile(percent) for percent in (50, 95, 99)], [50, 95, 99])
        self.assertEqual(Result(row("bwrap"), 1, samples=[7]).percentile(99), 7)

    def test_ratios_are_to_the_first_of_ours_and_to_no_other(self):
        ours = Result(row("ours-script-python"), 1, samples=[2])
        other = Result(row("ours-run-python"), 1, samples=[5])
        peer = Result(row("bwrap"), 1, samples=[8])
        self.assertEqual(report.ratio(peer, [ours, other, peer]), 0.25)
        ours.samples = []
        self.assertIsNone(report.ratio(peer, [ours, other, peer]))

    def test_rates_compare_calls_a_second(self):
        ours = Result(row("ours-warm-python"), 32, samples=[1] * 10, elapsed=2_000_000_000)
        peer = Result(row("raw"), 32, samples=[1] * 10, elapsed=1_000_000_000)
        self.assertEqual(report.rate_ratio(peer, [ours, peer]), 0.5)

    def test_every_round_begins_with_another_row_and_a_failing_one_leaves(self):
        order = []

        def sampling(key, fails_at=None):
            def sample():
                order.append(key)
                if order.count(key) == fails_at:
                    raise Unavailable("gone")
                return 1

            return sample

        results = [Result(row("bwrap"), 1), Result(row("runc"), 1)]
        opened = [Opened("", sampling("a")), Opened("", sampling("b", fails_at=4))]
        in_turn(list(zip(results, opened)), 3, lambda _: None)
        self.assertEqual("".join(order), "ab" "ba" "ab" "ba" "a")
        self.assertEqual((len(results[0].samples), results[1].samples, results[1].reason), (3, [], "gone"))


class Reports(unittest.TestCase):
    def test_a_row_that_could_not_be_measured_is_a_line_with_its_reason(self):
        ours = Result(row("ours-script-python"), 1, samples=[1_500_000], starts={"cold": 3})
        peer = Result(row("docker"), 1, reason="no | daemon\nhere")
        lines = report.table([ours, peer], [ours, peer], 1)
        self.assertIn("(cold 3×)", lines[2])
        self.assertIn("| 1.50 ms | 1.50 ms | 1.50 ms | 1.00× |", lines[2])
        self.assertIn("not measured: no \\| daemon here", lines[3])
        bars = [line.replace("\\|", "").count("|") for line in lines]
        self.assertEqual(set(bars), {8})

    def test_only_what_is_between_the_markers_is_replaced(self):
        document = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
        new = report.between_markers(document, "a \\1 new\n")
        self.assertEqual(new, f"before\n{report.BEGIN}\n\na \\1 new\n\n{report.END}\nafter\n")
        self.assertEqual(report.between_markers(new, "a \\1 new\n"), new)
        for broken in ("none", document + document, f"{report.END} {report.BEGIN}"):
            with self.assertRaises(ValueError):
                report.between_markers(broken, "new")


class Choices(unittest.TestCase):
    def test_ours_of_the_same_work_stay_beside_a_peer(self):
        keys = [row.key for row in chosen(["workerd"])]
        self.assertEqual(keys, ["ours-warm-javascript", "workerd"])
        self.assertEqual(chosen([]), ROWS)
        self.assertTrue(all(row.group == "warm" for row in chosen(["warm"])))

    def test_an_unknown_row_is_refused_by_name(self):
        with self.assertRaisesRegex(ValueError, "podman: accepted are bwrap"):
            chosen(["podman"])

    def test_keys_are_unique(self):
        self.assertEqual(len({row.key for row in ROWS}), len(ROWS))


class Outside(unittest.TestCase):
    def test_the_end_of_an_answer_is_known_by_its_length_or_its_last_chunk(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        self.assertEqual([is_whole(head[:-1]), is_whole(head + b"hell"), is_whole(head + b"hello")], [False, False, True])
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        self.assertEqual([is_whole(head + b"5\r\nhello\r\n"), is_whole(head + b"5\r\nhello\r\n0\r\n\r\n")], [False, True])

    def test_layouts_of_control_groups(self):
        first, second = "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n", "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
        self.assertEqual(host.cgroup_layout(first), "v1")
        self.assertEqual(host.cgroup_layout(first + second), "v1, with v2 beside it")
        self.assertEqual(host.cgroup_layout("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"), "v2")
        self.assertEqual(host.cgroup_layout(""), "none")

    def test_a_program_that_prints_something_else_or_fails_is_no_sample(self):
        env = environment("/")
        self.assertGreater(timed([sys.executable, "-I", "-c", "print(1)"], env, "/dev/null"), 0)
        for code in ("print(2)", "print(1); raise SystemExit(3)"):
            with self.assertRaises(Unavailable):
                timed([sys.executable, "-I", "-c", code], env, "/dev/null")

    def test_a_failing_preparation_says_its_last_line(self):
        with self.assertRaisesRegex(Unavailable, "trying: second"):
            checked(["/bin/sh", "-c", "echo first >&2; echo second >&2; exit 1"], reason="trying")


if __name__ == "__main__":
    unittest.main()
