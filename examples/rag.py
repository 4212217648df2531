"""A RAG pipeline: passages are made shorter for the question, and the model may ask for what was left out.

    ANTHROPIC_API_KEY=... python examples/rag.py
"""

import anthropic

from headroom import Headroom

QUESTION = "How long may the pump run dry, and what does error E42 mean?"

HANDBOOK = [
    "The pump was designed for gardens of middle size and has been built in the same town since 1974. ",
    "Before the first start, fill the housing with clean water through the upper opening. ",
    "The pump may run dry for 30 seconds at most; after that its seal is damaged. ",
    "Keep the hose away from sharp edges, and roll it up loosely when the season ends. ",
    "Error E42 means that the inlet is blocked: close the valve, clean the strainer and start again. ",
    "The colour of the housing may differ from the pictures in this handbook. ",
    "In winter the pump is kept in a room without frost, after all of its water has been let out. ",
    "Spare parts can be had for ten years from the date on the type plate. ",
]


def passages():
    """What a retriever would have found: long, and mostly about something else."""
    for chapter in range(1, 4):
        body = "".join(HANDBOOK[(chapter * 3 + n) % len(HANDBOOK)] + f"See also section {chapter}.{n}. " for n in range(60))
        yield f"Chapter {chapter}. {body}"


def main():
    client = anthropic.Anthropic()
    with Headroom("memory", compression_config={"prose": {"compressor": "Kompress", "ratio": 0.4}}) as hr:
        shorter = [hr.compress(text, "prose", query=QUESTION) for text in passages()]
        before, after = (sum(counts) for counts in zip(*((r.tokens_before, r.tokens_after) for r in shorter)))
        print(f"passages: {before} -> {after} tokens")
        tool = {
            "name": "retrieve_original_content",
            "description": "Returns lines of a passage in full. Marks in the passages name the handle.",
            "input_schema": {
                "type": "object",
                "properties": {"content_id": {"type": "string"}, "line_range": {"type": "string"}},
                "required": ["content_id"],
            },
        }
        context = "\n\n".join(r.text for r in shorter)
        messages = [{"role": "user", "content": f"{context}\n\n{QUESTION}"}]
        while True:
            answer = client.messages.create(model="claude-sonnet-4-5", max_tokens=1024, tools=[tool], messages=messages)
            calls = [block for block in answer.content if block.type == "tool_use"]
            if not calls:
                break
            results = [{"type": "tool_result", "tool_use_id": call.id, "content": hr.answer(call.input)} for call in calls]
            messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    print("".join(block.text for block in answer.content if block.type == "text"))


if __name__ == "__main__":
    main()
