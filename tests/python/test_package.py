"""The package alone, as it is in an environment without anything else."""

import json
import pathlib
import tempfile
import threading
import unittest
import urllib.error
import urllib.request
from importlib import metadata, resources

import headroom
from headroom import (
    ClosedError, ConfigError, HandleError, Headroom, HeadroomError, HeadroomProxy, ProxyError, StoreError, compress, wrap,
)  # fmt: skip

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors" / "vectors.json"
ROWS = json.dumps([{"id": n, "state": "running", "zone": "eu-1", "load": n * 37 % 100} for n in range(300)])


def vectors():
    read = json.loads(VECTORS.read_text())
    inputs = read["inputs"]

    def filled(value):
        if isinstance(value, str):
            return inputs.get(value[1:], value) if value.startswith("@") else value
        if isinstance(value, list):
            return [filled(item) for item in value]
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        return value

    return {part: filled(read[part]) for part in ("texts", "conversations")}


def outcome(result):
    """What a vector expects of one text."""
    return {
        "text": result.text.replace(result.handle, "hr_HANDLE") if result.handle else result.text,
        "kind": result.kind,
        "exact": result.exact,
        "tokens_before": result.tokens_before,
        # A handle takes a token more or less in every store.
        "tokens_after": None if result.handle else result.tokens_after,
        "omitted": [[omission.first, omission.last] for omission in result.omissions],
    }


class Package(unittest.TestCase):
    def test_it_is_typed_and_needs_nothing(self):
        self.assertTrue((resources.files("headroom") / "py.typed").is_file())
        self.assertTrue((resources.files("headroom") / "_native.pyi").is_file())
        self.assertFalse(metadata.requires("headroom"))
        self.assertEqual(headroom.__version__, metadata.version("headroom"))

    def test_without_a_store_nothing_is_left_out(self):
        result = compress(ROWS)
        self.assertTrue(result.exact and result.handle is None and result.omissions == [])
        self.assertEqual((result.kind, result.compressor, result.reason), ("json", "json", "compressed"))
        self.assertLess(result.tokens_after, result.tokens_before / 2)
        self.assertIs(compress("short").text, compress("short").text)

    def test_what_is_left_out_is_given_back(self):
        with tempfile.TemporaryDirectory() as folder:
            with Headroom(f"sqlite:///{folder}/store.db") as hr:
                result = hr.compress(ROWS)
                self.assertFalse(result.exact)
                self.assertEqual(result.omissions[0].unit, "row")
                for omission in result.omissions:
                    self.assertEqual((omission.count, omission.total), (omission.last - omission.first + 1, 300))
            # Another process, a day later.
            with Headroom(pathlib.Path(folder) / "store.db") as hr:
                self.assertEqual(hr.retrieve(result.handle), ROWS)
                self.assertEqual(hr.explain(result.handle)["original"]["bytes"], len(ROWS))
                self.assertIn("running", hr.answer({"content_id": result.handle, "json_path": "$[7].state"}))
                self.assertEqual(hr.retrieve(result.handle, json_path="$[7].load"), str(7 * 37 % 100))

    def test_tenants_share_a_store_and_nothing_in_it(self):
        with tempfile.TemporaryDirectory() as folder:
            with Headroom(f"sqlite:///{folder}/store.db", tenant="a", project="p") as hr:
                handle = hr.compress(ROWS).handle
                self.assertEqual(hr.retrieve(handle), ROWS)
            with Headroom(f"sqlite:///{folder}/store.db", tenant="a", project="q") as hr:
                self.assertRaises(HandleError, hr.retrieve, handle)

    def test_a_database_that_is_away_costs_the_savings_only(self):
        # Port 1 is nobody's.
        with Headroom("postgres://user:secret@127.0.0.1:1/headroom") as hr:
            result = hr.compress(ROWS)
            self.assertTrue(result.handle is None and json.loads(ROWS))
            with self.assertRaises(StoreError) as raised:
                hr.retrieve("hr_4k2m9x7qw3")
            self.assertNotIn("secret", str(raised.exception))

    def test_lines_are_named_in_three_ways(self):
        text = "".join(f"2024-05-01T10:00:{n % 60:02}Z INFO worker took {n} ms\n" for n in range(1, 301))
        hr = Headroom("memory")
        handle = hr.compress(text).handle
        for lines in ("7-8", (7, 8), [7, 8]):
            self.assertEqual(hr.retrieve(handle, lines), "".join(text.splitlines(True)[6:8]))
        self.assertEqual(hr.retrieve(handle, 300), text.splitlines(True)[-1])
        self.assertTrue(hr.retrieve(handle, pattern="took 299 ").startswith("299:2024"))

    def test_the_vectors(self):
        for vector in vectors()["texts"]:
            with self.subTest(vector["name"]), Headroom("memory", compression_config=vector["config"]) as hr:
                result = hr.compress(vector["text"], vector["kind"], vector["level"])
                self.assertEqual(outcome(result), vector["expected"])
                if result.exact:
                    continue
                self.assertEqual(hr.retrieve(result.handle), vector["text"])

    def test_the_vectors_of_conversations(self):
        for vector in vectors()["conversations"]:
            with self.subTest(vector["name"]):
                hr = Headroom("memory", compression_config=vector["config"], retrieval="always")
                parts = {name: vector[name] for name in ("system", "tools", "model")}
                sent = hr.compress_messages(vector["messages"], vector["dialect"], **parts)
                slots = hr.explain(sent.id)["request"]["slots"]
                written = json.dumps(sent.messages)
                for handle in [handle for slot in slots for handle in slot["handles"]]:
                    written = written.replace(handle, "hr_HANDLE")
                self.assertEqual({"messages": json.loads(written), "tools": sent.tools}, vector["expected"])
                self.assertTrue(sent.tool_offered and sent.tokens_after < sent.tokens_before)
                # The caller's own objects stay where nothing was changed.
                self.assertIs(sent.messages[0], vector["messages"][0])
                self.assertIs(sent.tools[0], vector["tools"][0])

    def test_threads_share_a_library(self):
        hr = Headroom("memory")
        handles = []
        work = [threading.Thread(target=lambda n=n: handles.append((n, hr.compress(ROWS + " " * n).handle))) for n in range(8)]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        self.assertEqual({n: hr.retrieve(handle) for n, handle in handles}, {n: ROWS + " " * n for n in range(8)})


class Mistakes(unittest.TestCase):
    """Each has its class, and says what, where and what to do."""

    def refused(self, error, said, call, *arguments, **more):
        with self.assertRaises(error) as raised:
            call(*arguments, **more)
        self.assertIn(said, str(raised.exception))

    def test_wrong_types_are_type_errors(self):
        hr = Headroom("memory")
        self.refused(TypeError, "text: expected str, not bytes; decode it first", compress, b"text")
        self.refused(TypeError, "level: expected str, not int", compress, "text", level=3)
        self.refused(TypeError, "store: expected a Headroom", compress, "text", store="memory")
        self.refused(TypeError, "store: expected str, not int", Headroom, 3)
        self.refused(TypeError, "compression_config: expected a dict", Headroom, "memory", compression_config="json")
        self.refused(TypeError, "compression_config: cannot be written as JSON", Headroom, "memory", compression_config={"json": {"threshold": object()}})
        self.refused(TypeError, "ccr_enabled: expected True or False", Headroom, "memory", ccr_enabled="yes")
        self.refused(TypeError, "messages: expected a list", hr.compress_messages, "hello")
        self.refused(TypeError, "messages: cannot be written as JSON", hr.compress_messages, [{"role": object()}])
        self.refused(TypeError, "lines: expected '120-180'", hr.retrieve, "hr_4k2m9x7qw3", 1.5)
        self.refused(TypeError, "client: expected Anthropic", wrap, object())
        self.refused(TypeError, "headroom: expected a Headroom", wrap, object(), "memory")
        self.refused(TypeError, "port: expected int", HeadroomProxy, port="8787")
        self.refused(TypeError, "levl", compress, "text", levl="standard")

    def test_wrong_values_are_config_errors(self):
        hr = Headroom("memory")
        self.refused(ConfigError, 'did you mean "standard"?', compress, "text", level="standrad")
        self.refused(ConfigError, 'kind: unknown kind "jsn"', compress, "text", "jsn")
        self.refused(ConfigError, 'dialect: unknown value "antropic"; did you mean "anthropic"?', hr.compress_messages, [], "antropic")
        self.refused(ConfigError, "store: \"mysql\" is no kind of store", Headroom, "mysql://host/db")
        self.refused(ConfigError, "lines: 'a-b' is no range", hr.retrieve, "hr_4k2m9x7qw3", "a-b")
        self.refused(ConfigError, "port: expected 0 to 65535", HeadroomProxy, port=70000)
        self.refused(ConfigError, "did you mean 'anthropic'?", HeadroomProxy, {"antropic": "https://x"})
        self.refused(ConfigError, "write https://api.anthropic.com", HeadroomProxy, "api.anthropic.com")
        self.refused(ConfigError, 'align: unknown value "always"', HeadroomProxy, align="always")
        self.refused(ConfigError, "ccr_enabled: says the opposite", HeadroomProxy, ccr_enabled=False, retrieval="always")
        config = {"json": {"compressor": "SmartCrusher", "treshold": 1000}}
        self.refused(ConfigError, 'compression_config.json: unknown key "treshold"; did you mean "threshold"?', HeadroomProxy, compression_config=config)
        self.assertTrue(issubclass(ConfigError, ValueError) and issubclass(ConfigError, HeadroomError))

    def test_bad_handles(self):
        hr = Headroom("memory")
        self.refused(HandleError, "looks like hr_", hr.retrieve, "hr_nope")
        self.refused(HandleError, "is not kept in this store", hr.retrieve, "hr_4k2m9x7qw3")
        self.refused(HandleError, "this store knows no request", hr.explain, "hrq_1")
        self.assertIn("is not kept here", hr.answer({"content_id": "hr_4k2m9x7qw3"}))
        self.assertTrue(issubclass(HandleError, LookupError))

    def test_stores_that_cannot_be(self):
        self.refused(StoreError, "/proc/nowhere/h.db", Headroom, "sqlite:///proc/nowhere/h.db")

    def test_what_is_closed_says_so(self):
        hr = Headroom("memory")
        hr.close()
        hr.close()
        self.refused(ClosedError, "has been closed; open another one", hr.compress, "text")
        self.refused(ClosedError, "has been closed", compress, "text", store=hr)
        self.refused(ClosedError, "has been closed", hr.retrieve, "hr_4k2m9x7qw3")
        self.refused(ClosedError, "not running; call start()", lambda: HeadroomProxy(store="memory").url)
        self.refused(ClosedError, "not running; call start()", HeadroomProxy(store="memory").stats)


class Proxy(unittest.TestCase):
    def test_it_starts_serves_and_stops(self):
        proxy = HeadroomProxy("http://127.0.0.1:9", store="memory", port=0, token="secret", compression_config={"json": {"enabled": False}})
        with proxy:
            url = proxy.url
            question = json.dumps({"text": ROWS}).encode()
            head = {"x-headroom-token": "secret", "content-type": "application/json"}
            with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/compress", question, head)) as answer:
                self.assertEqual(json.load(answer)["reason"], "policy")
            with self.assertRaises(urllib.error.HTTPError):
                urllib.request.urlopen(f"{url}/stats")
            stats = proxy.stats(hours=1)
            self.assertEqual((stats["policy"], stats["counters"]["exchanges"]), ("standard", 0))
            self.assertIn("ledger", stats)
            port = int(url.rsplit(":", 1)[1])
            with self.assertRaises(ProxyError) as raised:
                HeadroomProxy(store="memory", port=port).start()
            self.assertIn("choose another port", str(raised.exception))
        with self.assertRaises(ClosedError):
            proxy.url
        with HeadroomProxy(store="memory", port=port) as again:
            self.assertEqual(again.url, url)


if __name__ == "__main__":
    unittest.main()
