"""A small server over a local model, in the form of OpenAI's completions, that can misbehave.

The numbers are the model's own. What it offers is set by `offers`, how it fails by `fault`; a fault
sets in after `sound` requests, so that a server can turn bad in the middle of an audit.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataedge.models.local.model import LocalModel

EVERYTHING = frozenset({"completions", "chat", "echo", "prompt_logprobs", "top_logprobs"})
VLLM = EVERYTHING - {"echo"} | {"tokenize", "logprob_token_ids"}
SGLANG = frozenset({"completions", "chat", "top_logprobs", "tokenize", "score"})
"""What two servers offer beside it: the ids of a text's tokens, and how likely named ones are."""


@dataclass
class Behaviour:
    """What a server offers and how it fails.

    Attributes:
        offers: of EVERYTHING, VLLM and SGLANG.
        fault: ignore_named (logprob_token_ids and the items of a score), renumber (tokens), ignore_echo, zeros, drop, shift, cache, nan, 429, 500, reset, stall, redirect,
            garbage or none.
        sound: requests that are answered as they should be, before the fault sets in.
        times: requests that the fault hits; all that follow if None.
        widest: likeliest tokens that may be asked for.
        named_at_once: tokens that may be named at once; more are refused.
        beside: status of every path but the usual two; 404 where it is not offered if None.
        starts: what is written begins with it.
        seen: every request: path, headers and body.
    """

    offers: frozenset[str] = EVERYTHING
    fault: str = ""
    sound: int = 0
    times: int | None = None
    widest: int = 20
    named_at_once: int = 128
    beside: int | None = None
    starts: str = ""
    elsewhere: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    prompts: set[str] = field(default_factory=set)

    def hit(self) -> bool:
        """Whether the fault hits the request that came last."""
        after = len(self.seen) - self.sound
        return bool(self.fault) and after > 0 and (self.times is None or after <= self.times)


class _Model:
    """What the server computes: one plain forward pass per request, no batching, no sharing."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model
        self.lock = threading.Lock()

    def ids(self, prompt: str) -> tuple[list[int], list[str]]:
        """Token ids with the start in front, and the text of each after it."""
        found = self.model.tokens.tokenizer(
            prompt, add_special_tokens=False, return_offsets_mapping=True
        )
        texts = [prompt[a:b] for a, b in found["offset_mapping"]]
        start = list(self.model.tokens.start)
        return [*start, *found["input_ids"]], texts

    def logprobs(self, ids: list[int]) -> torch.Tensor:
        with self.lock, torch.inference_mode():
            logits = self.model.forward.net(input_ids=torch.tensor([ids])).logits[0]
        return logits.float().log_softmax(-1)

    def text(self, token: int) -> str:
        return str(self.model.tokens.tokenizer.decode([token]))

    def write(self, ids: list[int], count: int) -> list[tuple[int, torch.Tensor]]:
        """Greedy tokens and the distribution each came from."""
        written: list[tuple[int, torch.Tensor]] = []
        fresh, past = list(ids), None
        for _ in range(count):
            with self.lock, torch.inference_mode():
                out = self.model.forward.net(
                    input_ids=torch.tensor([fresh]), past_key_values=past, use_cache=True
                )
            past, last = out.past_key_values, out.logits[0, -1].float().log_softmax(-1)
            token = int(last.argmax())
            written.append((token, last))
            if token in self.model.tokens.ends:
                break
            fresh = [token]
        return written


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    @property
    def behaviour(self) -> Behaviour:
        return self.server.behaviour  # type: ignore[attr-defined, no-any-return]

    @property
    def net(self) -> _Model:
        return self.server.net  # type: ignore[attr-defined, no-any-return]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        b = self.behaviour
        b.seen.append({"path": self.path, "headers": dict(self.headers), "body": body})
        fault = b.fault if b.hit() else ""
        if fault in ("429", "500"):
            return self.answer({"error": {"message": "busy"}}, int(fault))
        if fault == "reset":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        if fault == "stall":
            time.sleep(3)
        if fault == "redirect":
            self.send_response(307)
            self.send_header("Location", b.elsewhere + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        if fault == "garbage":
            return self.answer("<html>", 200)
        forms = {
            "/tokenize": ("tokenize", self.tokens),
            "/v1/score": ("score", self.score),
            "/v1/chat/completions": ("chat", self.chat),
            "/v1/completions": ("completions", self.complete),
        }
        offer, form = forms.get(self.path, ("", self.complete))
        if b.beside and offer not in ("chat", "completions"):
            return self.answer({"error": {"message": "not here"}}, b.beside)
        if len(body.get("logprob_token_ids") or []) > b.named_at_once:
            return self.answer({"error": {"message": f"at most {b.named_at_once}"}}, 400)
        if offer not in b.offers:
            return self.answer({"error": {"message": "not found"}}, 404)
        if offer == "completions" and (body.get("logprobs") or 0) > b.widest:
            return self.answer({"error": {"message": f"at most {b.widest} logprobs"}}, 400)
        return self.answer(form(body, fault))

    def answer(self, body: Any, status: int = 200) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def tokens(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        ids, texts = self.net.ids(body["prompt"])
        if not body.get("add_special_tokens", True):
            ids = ids[len(ids) - len(texts) :]
        if fault == "renumber":
            ids = [i + 1 for i in ids]
        return {"count": len(ids), "max_model_len": 2048, "tokens": ids}

    def score(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        """As SGLang has it: probabilities, not their logarithms, of the labels behind each item."""
        scores = []
        for item in body["items"]:
            ids = [*body["query"], *([] if fault == "ignore_named" else item)]
            wanted = self.net.logprobs(ids)[-1][torch.tensor(body["label_token_ids"])]
            told = wanted.softmax(-1) if body.get("apply_softmax") else wanted.exp()
            scores.append([float(p) for p in told])
        return {"object": "scoring", "scores": scores, "usage": {"prompt_tokens": 0}}

    def named(self, last: torch.Tensor, token: int, wanted: list[int]) -> dict[str, Any]:
        """As vLLM has it: the tokens by their numbers, the one that was written among them."""
        told = {f"token_id:{i}": float(last[i]) for i in dict.fromkeys([token, *wanted])}
        return {
            "tokens": [f"token_id:{token}"],
            "token_logprobs": [float(last[token])],
            "top_logprobs": [told],
        }

    def complete(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        prompt, b = body["prompt"], self.behaviour
        ids, texts = self.net.ids(prompt) if isinstance(prompt, str) else (prompt, [])
        written = self.net.write(ids, int(body.get("max_tokens", 16)))
        text = "".join(self.net.text(t) for t, _ in written if t not in self.net.model.tokens.ends)
        text = b.starts + text
        choice: dict[str, Any] = {"index": 0, "text": text, "finish_reason": "length"}
        width = body.get("logprobs") or 0
        if width and "top_logprobs" in b.offers:
            choice["logprobs"] = self.generated(written, width)
        wanted = body.get("logprob_token_ids")
        if wanted and "logprob_token_ids" in b.offers and fault != "ignore_named":
            choice["logprobs"] = self.named(written[0][1], written[0][0], wanted)
        if body.get("echo") and "echo" in b.offers and fault != "ignore_echo":
            given = self.spoil(self.given(ids), fault, prompt)
            own = choice.get("logprobs") or {"tokens": [], "token_logprobs": []}
            tokens = [*texts, *own["tokens"]]
            values = [*given, *own["token_logprobs"]]
            if fault == "drop":
                values = values[:-3]
            offsets = np.concatenate([[0], np.cumsum([len(t) for t in tokens])[:-1]])
            choice["logprobs"] = {
                "tokens": tokens,
                "token_logprobs": values,
                "text_offset": offsets.tolist(),
                "top_logprobs": None,
            }
            choice["text"] = prompt + text
        if body.get("prompt_logprobs") is not None and "prompt_logprobs" in b.offers:
            values = self.spoil(self.given(ids), fault, prompt)
            start = len(ids) - len(texts)
            rows: list[Any] = [None] * min(start, 1)
            rows += [
                {str(i): {"logprob": v, "rank": 1, "decoded_token": t}} if v is not None else None
                for i, v, t in zip(ids[start:], values, texts, strict=True)
            ]
            choice["prompt_logprobs"] = rows[:-3] if fault == "drop" else rows
        b.prompts.add(str(prompt))
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(written)}
        return {"object": "text_completion", "choices": [choice], "usage": usage}

    def given(self, ids: list[int]) -> list[float | None]:
        """Log-probability of every token after the start."""
        start = len(self.net.model.tokens.start)
        table = self.net.logprobs(ids)
        picked = table[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
        values = [None, *(float(v) for v in picked)]
        return values[start:]

    def spoil(self, values: list[Any], fault: str, prompt: str) -> list[Any]:
        if fault == "zeros":
            return [0.0] * len(values)
        if fault == "shift":
            return [*values[1:], -1.0]
        if fault == "nan":
            return [*values[:-1], float("nan")]
        if fault == "cache":  # what was read before comes back with garbage after it
            known = max((len(p) for p in self.behaviour.prompts if prompt.startswith(p)), default=0)
            return [v and v - 2.5 for v in values] if known > len(prompt) // 2 else values
        return values

    def generated(self, written: list[tuple[int, torch.Tensor]], width: int) -> dict[str, Any]:
        tops = [dict(self.top(table, width)) for _, table in written]
        return {
            "tokens": [self.net.text(t) for t, _ in written],
            "token_logprobs": [float(table[t]) for t, table in written],
            "top_logprobs": tops,
        }

    def top(self, table: torch.Tensor, width: int) -> list[tuple[str, float]]:
        values, ids = table.topk(min(width, len(table)))
        return [(self.net.text(int(i)), float(v)) for i, v in zip(ids, values, strict=True)]

    def chat(self, body: dict[str, Any], _: str) -> dict[str, Any]:
        model = self.net.model
        user = body["messages"][-1]["content"]
        prompt = model.chat(user) if model.capabilities.chat else f"{user}\n"
        ids, _texts = self.net.ids(prompt)
        written = self.net.write(ids, int(body.get("max_tokens", 16)))
        text = "".join(self.net.text(t) for t, _ in written if t not in model.tokens.ends)
        choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}}
        if body.get("logprobs") and "top_logprobs" in self.behaviour.offers:
            width = int(body.get("top_logprobs") or 1)
            choice["logprobs"] = {
                "content": [
                    {
                        "token": self.net.text(t),
                        "logprob": float(table[t]),
                        "top_logprobs": [
                            {"token": x, "logprob": v} for x, v in self.top(table, width)
                        ],
                    }
                    for t, table in written
                ]
            }
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(written)}
        return {"object": "chat.completion", "choices": [choice], "usage": usage}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    behaviour: Behaviour
    net: _Model

    def handle_error(self, *_: Any) -> None:  # connections that were reset on purpose
        pass


@contextmanager
def serve(model: LocalModel, behaviour: Behaviour) -> Iterator[str]:
    """The server's base URL while it runs, on a free port of this machine."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.behaviour, server.net = behaviour, _Model(model)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
