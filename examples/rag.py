"""A RAG pipeline: passages are made shorter for the question, and the model may ask for what was left out.

    ANTHROPIC_API_KEY=... python examples/rag.py
"""

import anthropic

from headroom import Headroom

QUESTION = "How long may the pump run dry, and what does error E42 mean?"

PARTS = ["The housing", "The hose", "The inlet", "The outer cable", "The float switch", "The handle", "The strainer", "The lid"]
REMARKS = [
    "has been made in the same town since the company was founded by two brothers",
    "comes in several colours, and may differ from the pictures in this handbook",
    "is best cleaned with a soft cloth and some lukewarm water at the end of the season",
    "was chosen after long tests in gardens of every size, by day and by night",
    "can be ordered again from every dealer who sells our machines, together with its screws",
    "rests in the box under the paper, beside the small bag with the other pieces",
]


def passages():
    """What a retriever would have found: long, and mostly about something else."""
    for chapter in range(3):
        sentences = [f"{part} {remark}." for part in PARTS for remark in REMARKS[chapter % 2 :: 2]]
        sentences.insert(5, "The pump may run dry for 30 seconds at most, since its seal needs water.")
        sentences.insert(14, "Error E42 means that the inlet is blocked: close the valve, clean the strainer and start again.")
        yield f"Chapter {chapter + 1}. " + " ".join(sentences)


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
