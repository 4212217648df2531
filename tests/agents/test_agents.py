"""Real agents under `headroom wrap`, against a scripted provider: each completes a turn with a tool, streaming.

Tests those of the agents that are in PATH; `run.sh` installs them. Usage: HEADROOM=path/to/headroom python3 test_agents.py
"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from upstream import FAILURE, SAID, Provider

HEADROOM = os.path.abspath(os.environ["HEADROOM"])
LINES = 360
ASK = "What does the log say?"


class Agents(unittest.TestCase):
    def setUp(self):
        self.provider = Provider(LINES)
        self.folder = tempfile.TemporaryDirectory()
        self.home = Path(self.folder.name, "home")
        self.work = Path(self.folder.name, "work")
        self.home.mkdir()
        self.work.mkdir()
        subprocess.run(["git", "init", "-q", self.work], check=True)

    def tearDown(self):
        self.provider.stop()
        self.folder.cleanup()

    def put(self, path, text):
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run_agent(self, name, arguments, environment, wrapped):
        if not shutil.which(name):
            self.skipTest(f"{name} is not installed")
        command = [HEADROOM, "wrap", name, "--"] if wrapped else [name]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TERM": "dumb", **environment}
        done = subprocess.run(
            [*command, *arguments], cwd=self.work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(SAID, done.stdout)
        return self.provider.take()

    def check(self, name, arguments, environment, direct=None):
        """A turn without and with Headroom: the same answers, and the log shorter with nothing that counts gone."""
        plain = self.run_agent(name, [*(direct or []), *arguments], environment, wrapped=False)
        through = self.run_agent(name, arguments, environment, wrapped=True)
        before, after = (json.dumps(max(bodies, key=_routine)) for bodies in (plain, through))
        # Some tools cut what they show; the failure is in what they do show.
        self.assertIn(FAILURE, before)
        results = [json.dumps(body) for body in through if FAILURE in json.dumps(body)]
        self.assertTrue(results, "the failure arrives")
        self.assertGreater(before.count("handled request"), LINES // 2)
        self.assertLess(max(text.count("handled request") for text in [after, *results]), 10)
        return through

    def test_claude(self):
        environment = {"ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": self.provider.base}
        environment |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "IS_SANDBOX": "1"}
        arguments = ["-p", ASK, "--dangerously-skip-permissions"]
        through = self.check("claude", arguments, environment)
        self.assertIn("retrieve_original_content", json.dumps(through[-1]["tools"]))

        # The hook, without a proxy.
        subprocess.run([HEADROOM, "hook", "install", "claude", "--yes"], env={"HOME": str(self.home)}, check=True, capture_output=True)
        bodies = self.run_agent("claude", arguments, environment, wrapped=False)
        result = json.dumps(bodies[-1])
        self.assertIn(FAILURE, result)
        self.assertLess(result.count("handled request"), 10)
        self.assertIn("headroom get hr_", result)

    def test_codex(self):
        environment = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{self.provider.base}/v1"}
        arguments = ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", ASK]
        address = ["-c", f'openai_base_url="{self.provider.base}/v1"']
        self.check("codex", arguments, environment, direct=address)
        self.assertEqual(self.provider.websockets, 2, "over a WebSocket, directly and through the proxy")

    def test_gemini(self):
        self.put(".gemini/settings.json", '{"security":{"auth":{"selectedType":"gemini-api-key"}}}')
        environment = {"GEMINI_API_KEY": "test", "GOOGLE_GEMINI_BASE_URL": self.provider.base, "GEMINI_CLI_TRUST_WORKSPACE": "true"}
        self.check("gemini", ["-p", ASK, "--yolo"], environment)

    def test_qwen(self):
        environment = {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": f"{self.provider.base}/v1", "OPENAI_MODEL": "gpt-4o"}
        self.check("qwen", ["-p", ASK, "--yolo"], environment)

    def test_opencode(self):
        options = {"provider": {"anthropic": {"options": {"baseURL": f"{self.provider.base}/v1"}}}}
        self.put(".config/opencode/opencode.json", json.dumps(options))
        environment = {"ANTHROPIC_API_KEY": "sk-ant-test", "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}
        self.check("opencode", ["run", "-m", "anthropic/claude-sonnet-4-5", ASK], environment)

    def test_aider(self):
        # Aider has no tools: what passes is the conversation.
        environment = {"OPENAI_API_KEY": "test", "OPENAI_API_BASE": f"{self.provider.base}/v1"}
        arguments = ["--model", "openai/gpt-4o", "--no-check-update", "--no-analytics", "--yes-always", "--no-git", "--message", ASK]
        bodies = self.run_agent("aider", arguments, environment, wrapped=True)
        self.assertIn(ASK, json.dumps(bodies))


def _routine(body):
    return json.dumps(body).count("handled request")


if __name__ == "__main__":
    unittest.main()
