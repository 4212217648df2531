"""The tests of `tests/sdk`, which know official SDKs and a scripted provider, through the two doors of the package: wrapped clients, and the proxy
inside this process. And the vectors through the command line and a proxy of its own."""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import anthropic
import openai

from headroom import ConfigError, Headroom, HeadroomProxy, wrap

SDK = pathlib.Path(__file__).resolve().parents[1] / "sdk"
sys.path[:0] = [str(SDK), str(pathlib.Path(__file__).resolve().parent)]

from harness import BINARY, Provider, rows  # noqa: E402
from test_package import vectors  # noqa: E402

CLIENTS = ("Anthropic", "AsyncAnthropic", "OpenAI", "AsyncOpenAI")


class InProcess:
    """The package's own proxy."""

    def __init__(self, upstream):
        self._proxy = HeadroomProxy(upstream, port=0, store="memory", retrieval="always").start()
        self.base = self._proxy.url

    def close(self):
        self._proxy.stop()


class Wrapped:
    """Nothing but the provider: what stands between is in the client."""

    headroom = None

    def __init__(self, upstream):
        self.base = upstream
        Wrapped.headroom = Headroom("memory", retrieval="always")

    def close(self):
        Wrapped.headroom.close()


class Wrapping:
    """An SDK whose clients are wrapped."""

    def __init__(self, sdk):
        self._sdk = sdk

    def __getattr__(self, name):
        found = getattr(self._sdk, name)
        return (lambda **settings: wrap(found(**settings), Wrapped.headroom)) if name in CLIENTS else found


def cases(name, door):
    """The test cases of a module of `tests/sdk`, for another door."""
    spec = importlib.util.spec_from_file_location(f"{name}_{door.__name__}", SDK / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if door is Wrapped:
        for sdk in ("anthropic", "openai"):
            if hasattr(module, sdk):
                setattr(module, sdk, Wrapping(getattr(module, sdk)))
    for case in vars(module).values():
        if isinstance(case, type) and issubclass(case, unittest.TestCase) and case.__module__ == module.__name__:
            case.door = door
            yield case


class Clients(unittest.TestCase):
    def test_a_copy_is_wrapped_and_once_is_enough(self):
        with Headroom("memory") as hr:
            client = anthropic.Anthropic(api_key="k", base_url="http://127.0.0.1:9")
            wrapped = wrap(client, hr)
            self.assertEqual(str(client.base_url), "http://127.0.0.1:9")
            self.assertNotEqual(wrapped.base_url, client.base_url)
            self.assertIs(wrap(wrapped, hr), wrapped)
            self.assertIs(type(wrapped), anthropic.Anthropic)

    def test_clients_of_other_services_are_refused(self):
        azure = openai.AzureOpenAI(api_key="k", api_version="1", azure_endpoint="https://example.openai.azure.com")
        with self.assertRaisesRegex(TypeError, "not AzureOpenAI; for others start a HeadroomProxy"):
            wrap(azure, Headroom("memory"))
        odd = openai.OpenAI(api_key="k", base_url="https://example.com/api/v3")
        with self.assertRaisesRegex(ConfigError, "does not end in /v1"):
            wrap(odd, Headroom("memory"))

    def test_a_proxy_of_the_environment_is_not_for_the_way_to_this_process(self):
        from test_anthropic import message, opening, request, text

        provider = Provider()
        self.addCleanup(provider.close)
        provider.play(message(text("Here.")))
        names = ("HTTP_PROXY", "http_proxy")
        os.environ.update({name: "http://127.0.0.1:9" for name in names}, NO_PROXY="")
        try:
            with Headroom("memory") as hr:
                # The way to the provider obeys it, so the provider is named as an exception.
                os.environ["NO_PROXY"] = "127.0.0.1"
                client = anthropic.Anthropic(api_key="k", base_url=provider.base, max_retries=0)
                wrapped = wrap(client, hr)
                self.addCleanup(wrapped.close)
                os.environ["NO_PROXY"] = ""
                self.assertEqual(wrapped.messages.create(**request(opening(rows()))).content[0].text, "Here.")
        finally:
            for name in (*names, "NO_PROXY"):
                del os.environ[name]


class CommandLine(unittest.TestCase):
    def run_headroom(self, *arguments, text):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HEADROOM_")}
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "config.toml").write_text(self.config_file)
            command = [BINARY, "--config", f"{folder}/config.toml", "--store", f"{folder}/store.db", *arguments]
            done = subprocess.run(command, input=text.encode(), capture_output=True, env=environment, check=True)
        return done.stdout

    config_file = ""

    def test_texts(self):
        for vector in vectors()["texts"]:
            with self.subTest(vector["name"]):
                arguments = ["--compression", json.dumps(vector["config"]), "compress", "--json", "--level", vector["level"]]
                if vector["kind"] != "auto":
                    arguments += ["--kind", vector["kind"]]
                said = json.loads(self.run_headroom(*arguments, text=vector["text"]))
                expected = vector["expected"]
                text = said["text"].replace(said["handle"], "hr_HANDLE") if said["handle"] else said["text"]
                self.assertEqual(text, expected["text"])
                self.assertEqual([[o["first"], o["last"]] for o in said["omissions"]], expected["omitted"])
                self.assertEqual(said["tokens_before"], expected["tokens_before"])
                self.assertEqual(None if said["handle"] else said["tokens_after"], expected["tokens_after"])

    def test_conversations(self):
        self.config_file = 'retrieval = "always"\n'
        for vector in vectors()["conversations"]:
            with self.subTest(vector["name"]):
                body = {name: vector[name] for name in ("model", "system", "tools", "messages") if vector[name] is not None}
                text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
                config = ["--compression", json.dumps(vector["config"])]
                sent = self.run_headroom(*config, "request", "--dialect", vector["dialect"], text=text).decode()
                sent = json.loads(plain(sent))
                self.assertEqual({name: sent[name] for name in ("messages", "tools")}, vector["expected"])


# The one that the definition of the retrieval tool has as an example is everybody's.
HANDLE = re.compile(r"\bhr_(?!4k2m9x7qw3)[0-9a-hjkmnp-tv-z]{10}\b")


def plain(text):
    """Without the handles, which are the store's own."""
    return HANDLE.sub("hr_HANDLE", text)


class ProxyVectors(unittest.TestCase):
    def test_conversations(self):
        for vector in vectors()["conversations"]:
            with self.subTest(vector["name"]):
                provider = Provider()
                self.addCleanup(provider.close)
                provider.play()
                body = {name: vector[name] for name in ("model", "system", "tools", "messages") if vector[name] is not None}
                path = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}[vector["dialect"]]
                with HeadroomProxy(provider.base, port=0, store="memory", retrieval="always", compression_config=vector["config"]) as proxy:
                    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
                    request = urllib.request.Request(proxy.url + path, data, {"content-type": "application/json"})
                    # The script has ended, so the provider says 500 and nobody asks it again.
                    with self.assertRaises(urllib.error.HTTPError):
                        urllib.request.urlopen(request)
                sent = json.loads(plain(provider.received[0].body.decode()))
                self.assertEqual({name: sent[name] for name in ("messages", "tools")}, vector["expected"])


def load_tests(loader, own, _pattern):
    suite = unittest.TestSuite([own])
    for name in ("test_anthropic", "test_openai", "test_responses"):
        for door in (Wrapped, InProcess):
            suite.addTests(loader.loadTestsFromTestCase(case) for case in cases(name, door))
    suite.addTests(loader.loadTestsFromTestCase(case) for case in cases("test_gemini", InProcess))
    return suite
