"""Contexts in which every chat template is rendered: what transformers passes for typical requests."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city, in \u00b0C.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name <b>of</b> the city"},
                "days": {"type": "integer", "enum": [1, 3, 7], "default": 1},
            },
            "required": ["city"],
        },
    },
}
CALL = {
    "id": "call00001",
    "type": "function",
    "function": {"name": "get_weather", "arguments": {"city": "Z\u00fcrich", "days": 3}},
}

PLAIN = [{"role": "user", "content": "Hello, <|im_end|> \u4e16\u754c!"}]
TURNS = [
    {"role": "user", "content": "1+1?"},
    {"role": "assistant", "content": "<think>\nadd\n</think>\n\nTwo. "},
    {"role": "user", "content": " And 2+2?\n"},
]
SYSTEM = [{"role": "system", "content": "Be 'brief'.\nPlease."}] + TURNS
TOOLS = SYSTEM[:1] + [
    {"role": "user", "content": "Weather in Z\u00fcrich?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "name": "get_weather", "tool_call_id": "call00001", "content": "{\"temp\": 21.5}"},
    {"role": "assistant", "content": "21.5 degrees."},
    {"role": "user", "content": "Thanks"},
]
NULL_CONTENT = [
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call00001", "content": "rain"},
]
PARTS = [{"role": "user", "content": [{"type": "text", "text": "Look: "}, {"type": "text", "text": "there"}]}]
REASONING = TURNS[:1] + [{"role": "assistant", "content": "Two.", "reasoning_content": "add\nthem"}] + TURNS[2:]
BAD_ORDER = [{"role": "assistant", "content": "I start"}, {"role": "assistant", "content": "and go on"}]


def context(messages, tools=None, **extra):
    return {
        "messages": messages,
        "tools": tools,
        "documents": None,
        "add_generation_prompt": True,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        **extra,
    }


CONTEXTS = {
    "plain": context(PLAIN),
    "turns": context(TURNS),
    "no_prompt": context(TURNS[:2], add_generation_prompt=False),
    "system": context(SYSTEM),
    "tools_only": context(PLAIN, [WEATHER]),
    "tools": context(TOOLS, [WEATHER]),
    "null_content": context(NULL_CONTENT, [WEATHER, WEATHER]),
    "parts": context(PARTS),
    "reasoning": context(REASONING),
    "thinking_off": context(TURNS, enable_thinking=False),
    "thinking_on": context(TURNS, enable_thinking=True, thinking=True, reasoning_effort="high", builtin_tools=["browser"]),
    "documents": context(PLAIN, documents=[{"title": "T", "text": "doc text"}]),
    "bad_order": context(BAD_ORDER),
    "empty": context([]),
}
