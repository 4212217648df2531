"""What calling from Python costs. Measured on the spot, side by side, because machines differ and are shared."""

import json
import statistics
import threading
import time
import unittest

from headroom import _native, compress

# About 10 KB.
TEXT = json.dumps([{"id": n, "state": "running", "zone": "eu-1", "load": n * 37 % 100} for n in range(165)])


class Speed(unittest.TestCase):
    def test_a_call_from_python_costs_little_more_than_one_from_rust(self):
        """At most 20 us at 10 KB."""
        from_rust, from_python = [], []
        for _ in range(40):
            from_rust += _native.seconds_in_rust(TEXT, 10)
            for _ in range(10):
                begun = time.perf_counter()
                compress(TEXT)
                from_python.append(time.perf_counter() - begun)
        # The faster half: what is above it is other programs.
        rust, python = (statistics.quantiles(times, n=4)[0] * 1e6 for times in (from_rust, from_python))
        print(f"\ncompress at {len(TEXT)} bytes: {rust:.0f} us from Rust, {python:.0f} us from Python: {python - rust:+.1f} us")
        self.assertLess(python - rust, 20)

    def test_threads_run_side_by_side(self):
        """Two threads do nearly twice the work where there are two processors; a shared machine gets some slack."""

        def seconds(threads):
            work = [threading.Thread(target=lambda: [compress(TEXT) for _ in range(150)]) for _ in range(threads)]
            begun = time.perf_counter()
            for thread in work:
                thread.start()
            for thread in work:
                thread.join()
            return time.perf_counter() - begun

        best = max(2 * seconds(1) / seconds(2) for _ in range(7))
        print(f"\ntwo threads do {best:.2f} times the work of one")
        self.assertGreater(best, 1.3)


if __name__ == "__main__":
    unittest.main()
