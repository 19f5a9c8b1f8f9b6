"""Writes tests/golden/jinja/contexts.json and renderings.json: what Jinja2 makes of the own templates."""
import json

import jinja2

import conversations
import python_peer
import run


def main():
    env = python_peer.environment()
    renderings = [
        {"template": name, "context": kind, **python_peer.answer(env, {"template": text, "context": context})}
        for name, text in run.own_templates()
        for kind, context in conversations.CONTEXTS.items()
    ]
    for rendering in renderings:
        if "error" in rendering:
            rendering["error"] = rendering["error"].split(":")[0]
    (run.GOLDEN / "contexts.json").write_text(json.dumps(conversations.CONTEXTS, indent=1, ensure_ascii=False) + "\n")
    golden = {"recorded_with": f"Jinja2 {jinja2.__version__}", "renderings": renderings}
    (run.GOLDEN / "renderings.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
