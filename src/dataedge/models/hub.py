"""Repositories on the hub: their commit and their files, from this machine's copy where there is one."""

from __future__ import annotations

from pathlib import Path

from dataedge.errors import AuditError, ExitCode

TIMEOUT = 10.0  # seconds to wait for the hub


def commit(repo: str, name: str, hint: str) -> str:
    """The commit of a repository: of the copy on this machine, else of the hub's main branch.

    Args:
        repo: owner and name.
        name: what the user called it, for messages.
        hint: what to do where it is not here and the hub cannot be reached.

    Raises:
        AuditError: it is not here, and the hub does not have it or cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    if here := _commit_here(repo):
        return here
    try:
        return str(HfApi().model_info(repo, timeout=TIMEOUT).sha)
    except RepositoryNotFoundError as error:
        raise AuditError(
            f"{name}: the hub has no model {repo}, or it is private",
            hint="Check the spelling; for a private model log in with `hf auth login`",
        ) from error
    except Exception as error:  # what a failed connection raises varies with the http library
        raise AuditError(
            f"{name}: {repo} is not on this machine and the hub cannot be reached",
            hint=hint,
            code=ExitCode.USAGE,
        ) from error


def files(repo: str, revision: str) -> list[str]:
    """Names of a repository's files at a commit, with the folders that they are in.

    Of this machine's copy where it holds weights that may be loaded, or where the hub cannot be
    reached: a copy need not be whole.
    """
    from huggingface_hub import HfApi

    copy = _cache(repo) / "snapshots" / revision
    here = [p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file()]
    if any(name.endswith(".safetensors") for name in here):
        return here
    try:
        siblings = HfApi().model_info(repo, revision=revision, timeout=TIMEOUT).siblings
    except Exception:  # noqa: BLE001  # as in `commit`: what is here is all that can be loaded
        return here
    return [sibling.rfilename for sibling in siblings or []]


def copy_of(repo: str) -> Path | None:
    """The folder of a repository's files on this machine; None where it has none."""
    here = _commit_here(repo)
    return _cache(repo) / "snapshots" / here if here else None


def _commit_here(repo: str) -> str:
    """Of the copy on this machine; empty where there is none."""
    reference = _cache(repo) / "refs" / "main"
    return reference.read_text(encoding="ascii").strip() if reference.is_file() else ""


def path_of(repo: str, revision: str, file: str) -> Path:
    """A file of a repository on this machine, fetched where it is not yet here."""
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(repo, file, revision=revision))


def _cache(repo: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")
