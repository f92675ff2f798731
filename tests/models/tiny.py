"""A Llama of random weights with a real tokenizer, made in a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from dataedge.models.capability_tests import SENTENCE
from dataedge.models.local.model import LocalModel

if TYPE_CHECKING:
    from pathlib import Path

TEXT = [
    "The river rises in the north of the country and reaches the sea after three hundred miles.",
    "My card has not arrived yet. Where is my card? The card payment was declined twice.",
    "Customer: I want to transfer money to another account.\nTopic: transfer pending",
    "0 1 2 3 4 5 6 7 8 9 card arrival card payment fee charged exchange rate lost or stolen",
]
LABELS = [
    " card arrival",
    " card payment",
    " card",
    " card payment fee charged",
    " exchange rate",
    " lost or stolen card",
    " transfer",
]
QUESTIONS = [
    "Where is my card?",
    "The card payment was declined",
    "I want to transfer money to another account in the north of the country",
    "fee",
    "exchange rate three hundred",
]


def tokenizer(template: str | None = None) -> Any:
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(TEXT, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<|im_start|>", eos_token="<|im_end|>"
    )
    made.chat_template = template
    return made


def network(*, context: int = 256, seed: int = 0, **options: Any) -> Any:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        **options,
    )
    return LlamaForCausalLM(config).eval()


def model(*, context: int = 256, start: tuple[int, ...] = (0,), **options: Any) -> LocalModel:
    """A model whose capabilities are taken for granted: random weights prefer no sentence."""
    made = LocalModel(
        network(context=context), tokenizer(), id="tiny", revision="0", prove=False, **options
    )
    made.tokens.start = start
    return made


def folder(path: Path) -> Path:
    network().save_pretrained(path)
    tokenizer().save_pretrained(path)
    return path


def gguf_file(path: Path) -> Path:
    """The same network as a GGUF file, in float32."""
    import json

    import gguf

    net, raw = network(), json.loads(tokenizer().backend_tokenizer.to_str())
    config = net.config
    out = gguf.GGUFWriter(str(path), "llama")
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_block_count(config.num_hidden_layers)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_vocab_size(config.vocab_size)
    out.add_tokenizer_model("gpt2")
    words = sorted(raw["model"]["vocab"], key=raw["model"]["vocab"].get)
    out.add_token_list(words)
    out.add_token_types([3 if w.startswith("<|") else 1 for w in words])
    out.add_token_merges([" ".join(pair) for pair in raw["model"]["merges"]])
    out.add_bos_token_id(config.bos_token_id)
    out.add_eos_token_id(config.eos_token_id)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, value in net.state_dict().items():
        found = names.get_name(name, try_suffixes=(".weight",))
        out.add_tensor(found, value.detach().numpy())
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path


def naive(model: LocalModel, prefix: str, continuation: str) -> Any:
    """Log-probabilities by one plain forward pass over one sequence."""
    prompt = model.tokens.prompts([prefix])[0]
    wanted = model.tokens.continuations([continuation])[0]
    ids = torch.tensor([[*prompt, *wanted]])
    with torch.inference_mode():
        logits = model.forward.net(input_ids=ids).logits[0].float().log_softmax(-1)
    return logits[len(prompt) - 1 : -1].gather(1, ids[0, len(prompt) :, None])[:, 0].numpy()


def taught(path: Path) -> str:
    """Save a network that has learned a few sentences by heart and passes the capability tests.

    Args:
        path: of the folder that it is written to.

    Returns:
        Its name as `--model` takes it.
    """
    net, words = network(context=1024), tokenizer()
    texts = [SENTENCE, *TEXT]
    ids = [torch.tensor([[0, *words(t).input_ids]]) for t in texts]
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(60):
        for row in ids:
            loss = net(row, labels=row).loss
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
    net.eval().save_pretrained(path)
    words.save_pretrained(path)
    return f"hf/{path}"
