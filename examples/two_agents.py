"""Two agents, of two providers, that share one store: what the first has seen, the second can read back by its handle.

    ANTHROPIC_API_KEY=... OPENAI_API_KEY=... python examples/two_agents.py
"""

import json
import sys
import tempfile

import anthropic
import openai

from headroom import Headroom, wrap


def inventory():
    """What a tool of the first agent returns: long, and the same again and again but for one row."""
    return json.dumps(
        [
            {"host": f"node-{n:03}", "region": "eu-central-1", "state": "disk failing" if n == 137 else "ready", "load": n * 37 % 100}
            for n in range(400)
        ]
    )


def scout(hr, listing):
    """Looks at the inventory and says what is wrong. Its client is wrapped, so the listing is short on its way to the model."""
    client = wrap(anthropic.Anthropic(), hr)
    tool = {"name": "inventory", "description": "Lists all hosts", "input_schema": {"type": "object", "properties": {}}}
    call = {"type": "tool_use", "id": "toolu_1", "name": "inventory", "input": {}}
    messages = [
        {"role": "user", "content": "Which host needs care?"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": listing}]},
    ]
    answer = client.messages.create(
        model="claude-sonnet-4-5", max_tokens=1024, system="You watch over a data centre. " * 300, tools=[tool], messages=messages
    )
    return "".join(block.text for block in answer.content if block.type == "text")


def fixer(hr, report, handle):
    """Another agent, another provider, another process if you like: it gets the report and reads the row it needs from the shared store."""
    row = hr.retrieve(handle, json_path="$[?@.state == 'disk failing']")
    client = wrap(openai.OpenAI(), hr)
    messages = [{"role": "user", "content": f"{report}\nThe row is: {row}\nWrite the ticket."}]
    answer = client.chat.completions.create(model="gpt-4o", messages=messages)
    return answer.choices[0].message.content


def main(store):
    listing = inventory()
    with Headroom(store, retrieval="always") as one, Headroom(store) as other:
        kept = one.compress(listing)
        print(f"inventory: {kept.tokens_before} -> {kept.tokens_after} tokens, kept as {kept.handle}")
        report = scout(one, listing)
        print(f"scout: {report}")
        print(f"fixer: {fixer(other, report, kept.handle)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(f"{folder}/shared.db")
