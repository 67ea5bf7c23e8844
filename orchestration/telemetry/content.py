"""Which attributes hold what was said: prompts, answers, arguments and results. Not everybody may read them, and a
workspace may choose not to keep them."""

from __future__ import annotations

import re
from functools import lru_cache

_CONTENT = re.compile(
    r"gen_ai\.(input|output)\.messages|gen_ai\.system_instructions|gen_ai\.(prompt|completion)(\.|$)"
    r"|gen_ai\.tool\.(call\.(arguments|result)|definitions)|gen_ai\.tool\.message"
    r"|(input|output)\.value$|llm\.(input_messages|output_messages|prompts|prompt_template|function_call|completions)"
    r"|tool\.parameters$|retrieval\.documents|reranker\.(query|input_documents|output_documents)|embedding\.embeddings"
    r"|traceloop\.entity\.(input|output)|(tool_arguments|tool_response|all_messages_events|final_result|events|body)$"
    r"|ai\.(prompt|response|toolCall\.(args|result))|(gcp\.vertex\.agent|crew|mcp)\..*(request|response|result|argument)"
    r"|pydantic_ai\.all_messages|logfire\.msg|message$|content$"
)


@lru_cache(maxsize=50_000)
def is_content(key: str) -> bool:
    """Whether the attribute of this name may hold what was said."""
    return _CONTENT.match(key) is not None
