"""Text to tokens: what starts a sequence, and continuations tokenised apart from their prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_ANCHOR = "a"


class Tokens:
    """A tokenizer with one rule for the start of a sequence.

    Prompt and continuation are tokenised separately and concatenated, so that the continuation's
    tokens do not depend on the prompt. Continuations therefore start with a space or a newline,
    where tokenizers split anyway.

    Attributes:
        start: the tokens put before a text that does not itself start with a special token.
        fallback: the tokens put before an empty prompt when `start` is empty; something must
            predict the first token.
        ends: tokens that end an answer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._vocabulary = tokenizer.get_vocab()
        self.special = frozenset(int(i) for i in tokenizer.all_special_ids)
        names = ("<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>")
        found = {self._named(name) for name in names} | {tokenizer.eos_token_id}
        self.ends = frozenset(int(i) for i in found if i is not None)
        plain = self._ids([_ANCHOR], special=False)[0]
        full = self._ids([_ANCHOR], special=True)[0]
        self.adds_own = len(full) > len(plain) and full[-len(plain) :] == plain
        self.start: tuple[int, ...] = full[: len(full) - len(plain)] if self.adds_own else ()
        spare = [tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, 0]
        self.fallback: tuple[int, ...] = (next(int(i) for i in spare if i is not None),)
        # Tokenizers that put a space before every text would put a second one before " Paris".
        first = str(tokenizer.convert_ids_to_tokens([plain[0]])[0]) if plain else ""
        self._anchor = plain if first.startswith("▁") else ()
        self._asked: tuple[tuple[str, ...], tuple[int, ...]] = ((), self.start)
        self._prompts: list[tuple[int, ...]] = []

    def candidates(self) -> dict[str, tuple[int, ...]]:
        """List what may start a sequence, by name, when the tokenizer itself adds nothing."""
        found: dict[str, tuple[int, ...]] = {"nothing": ()}
        end = self._named("<|endoftext|>")
        if end is not None:
            found["<|endoftext|>"] = (end,)
        if self.tokenizer.bos_token_id not in (None, end):
            found["bos"] = (int(self.tokenizer.bos_token_id),)
        return found

    def _named(self, token: str) -> int | None:
        """The id of a token that the vocabulary has as it stands."""
        index = self._vocabulary.get(token)
        return None if index is None else int(index)

    def _ids(self, texts: Sequence[str], *, special: bool) -> list[tuple[int, ...]]:
        if not texts:
            return []
        # verbose=False: a text longer than the context is cut by us, not warned about.
        encoded = self.tokenizer(list(texts), add_special_tokens=special, verbose=False)
        return [tuple(ids) for ids in encoded["input_ids"]]

    def plain(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Tokens of texts on their own, nothing added."""
        return self._ids(texts, special=False)

    def prompts(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Tokens of prompts, started; never empty. The last call's are kept for the next one."""
        asked = (tuple(texts), self.start)
        if asked == self._asked:
            return self._prompts
        started = []
        for ids in self.plain(texts):
            if ids and ids[0] in self.special:
                started.append(ids)
            else:
                started.append((*self.start, *ids) or self.fallback)
        self._asked, self._prompts = asked, started
        return started

    def continuations(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Tokens of texts that follow a prompt."""
        if not self._anchor:
            return self.plain(texts)
        anchored = self.plain([_ANCHOR + text for text in texts])
        alone = self.plain(texts)
        n = len(self._anchor)
        return [
            ids[n:] if ids[:n] == self._anchor else own
            for ids, own in zip(anchored, alone, strict=True)
        ]
