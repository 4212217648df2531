"""The examples and the snippets of the README files, against a scripted provider."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "sdk"))

import test_anthropic as claude  # noqa: E402
import test_openai as chat  # noqa: E402
from harness import Provider  # noqa: E402


class Scripted(unittest.TestCase):
    def setUp(self):
        self.provider = Provider()
        self.addCleanup(self.provider.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def python(self, *arguments):
        """What a program prints that knows the provider as everybody does, from its environment, and has a home of its own."""
        environment = os.environ | {
            "ANTHROPIC_BASE_URL": self.provider.base, "ANTHROPIC_API_KEY": "k",
            "OPENAI_BASE_URL": f"{self.provider.base}/v1", "OPENAI_API_KEY": "k",
            "HOME": self.folder, "XDG_DATA_HOME": self.folder,
        }  # fmt: skip
        done = subprocess.run([sys.executable, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


class Examples(Scripted):
    def test_rag(self):
        self.provider.play(
            lambda r: claude.message(claude.retrieve(r.handle), stop="tool_use"), claude.message(claude.text("30 seconds; the inlet is blocked."))
        )
        said = self.python(str(ROOT / "examples" / "rag.py"))
        before, after = map(int, re.search(r"passages: (\d+) -> (\d+) tokens", said).groups())
        self.assertLess(after, before * 0.6)
        self.assertIn("the inlet is blocked", said)
        first, second = self.provider.received
        shown = first.json["messages"][0]["content"]
        self.assertIn("may run dry for 30 seconds", shown)
        self.assertIn("Error E42 means", shown)
        [result] = second.json["messages"][-1]["content"]
        self.assertTrue(result["content"].startswith("Chapter 1. "))

    def test_two_agents(self):
        self.provider.play(
            claude.message(claude.text("node-137 has a failing disk.")), chat.completion("Replace the disk of node-137.")
        )
        said = self.python(str(ROOT / "examples" / "two_agents.py"))
        self.assertIn("fixer: Replace the disk of node-137.", said)
        first, second = self.provider.received
        self.assertLess(len(first.body), 30_000)
        self.assertIn("node-137", second.json["messages"][0]["content"])
        self.assertIn("disk failing", second.json["messages"][0]["content"])


class Readme(Scripted):
    def test_the_snippets_run(self):
        snippets = [
            (file, code)
            for file in (ROOT / "README.md", ROOT / "crates" / "python" / "README.md")
            for code in re.findall(r"```python\n(.*?)```", file.read_text(), re.DOTALL)
        ]
        self.assertGreaterEqual(len(snippets), 2)
        for file, code in snippets:
            with self.subTest(f"{file.name}: {code.splitlines()[0]}"):
                self.provider.play(claude.message(claude.text("It is known.")))
                self.python("-c", code)


if __name__ == "__main__":
    unittest.main()
