"""The scripts and tools that there are: each one row, with its folder, host and model group."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Script:
    """One of the scripts: its file, its folder in results/, its host and its model group (none: name models with --model)."""

    name: str
    folder: str
    host: str
    group: tuple[str, ...]
    needs_batch: bool  # without --batch it only plans


@dataclass(frozen=True)
class Tool:
    """The converter and the clean-up of one host: their folder in tools/ and in results/backups/, and the host."""

    folder: str
    host: str

    @property
    def converter(self) -> str:
        """The converter as a person types it."""
        return f"tools/{self.folder}/batch_result_converter.py"

    @property
    def cleanup(self) -> str:
        """The clean-up as a person types it."""
        return f"tools/{self.folder}/batch_cleanup.py"

    @property
    def runs(self) -> tuple[str, ...]:
        """The folders in results/ whose runs are this host's."""
        return tuple(script.folder for script in SCRIPTS.values() if script.host == self.host)


CLAUDE = ("claude37s", "claude35s", "claude35h", "claude30h", "claude-haiku-4-5", "claude-sonnet-4-6")
SCRIPTS = {
    script.folder: script
    for script in (
        Script("openai_example.py", "openai", "openai", ("gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"), needs_batch=True),
        Script("claude_example.py", "claude", "anthropic", CLAUDE, needs_batch=True),
        Script("deepseek_batch_example.py", "deepseek", "kluster", ("deepseekr1", "deepseekv3", "deepseekv3-0324"), needs_batch=False),
        Script("llama_batch_example.py", "llama", "kluster", ("llama4-maveric", "llama4-scout", "llama33-70Bit"), needs_batch=False),
        Script("tools/openrouter/run.py", "openrouter", "openrouter", (), needs_batch=True),
    )
}
TOOLS = {
    tool.folder: tool
    for tool in (Tool("openai", "openai"), Tool("claude", "anthropic"), Tool("kluster", "kluster"), Tool("openrouter", "openrouter"))
}


def script_of(folder: str, host: str) -> Script:
    """The script whose runs are in a folder; for one of a person's own, as much of it as a look needs."""
    return SCRIPTS.get(folder) or Script(f"{folder}_example.py", folder, host, (), needs_batch=True)
