"""Which command of a script is meant: --status, --cancel, --list, --retry-failed, --give-up, or a run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from common import catalog
from common.cli import rescue, run, status
from common.cli.folder import results_folder
from common.cli.scripts import Script
from common.cli.session import ScriptSession, opened
from common.cli.where import host_for, host_of_named
from common.errors import InputError

NAMED = {"status": status.status, "cancel": status.cancel, "retry_failed": run.retry_failed, "give_up": status.give_up}


def command(script: Script, args: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Do what a script's command line says; returns the exit code."""
    named = [(call, getattr(args, name)) for name, call in NAMED.items() if getattr(args, name)]
    if why := _contradiction(args, len(named) + args.list):
        raise InputError(why)
    looks = bool(named or args.list)
    results = results_folder(args.results)
    host = _host(script, args, named[0][1] if named else args.run, results)
    with opened(script.name, host, args, makes_journal=not looks, calls=looks or run.calls(script, args)) as found:
        session = ScriptSession(**vars(found), script=script, arguments=arguments)
        if args.list:
            return status.list_all(session)
        for call, name in named:
            return call(session, name)
        return rescue.command(session) if args.rescue else run.run(session)


def _contradiction(args: argparse.Namespace, commands: int) -> str:
    """Why options cannot stand together; "" if they can. `commands`: how many of those of their own are given."""
    host = catalog.hosts().get(args.host or "")
    is_own = host is not None and host.own
    for is_wrong, why in (
        (commands > 1, "--status, --cancel, --list, --retry-failed and --give-up are commands of their own; give one of them"),
        (
            args.max_tokens and not args.retry_failed,
            "--max-tokens goes with --retry-failed RUN; the cap of an experiment is max_tokens in its experiment.toml",
        ),
        (args.live and args.batch, "--live and --batch say opposite things; name one of them"),
        (
            args.base_url and not is_own,
            "--base-url goes with --host local; a host's own address stands in its variable, such as KLUSTERAI_BASE_URL",
        ),
        (args.answers and not is_own, "--answers goes with --host local; what a paid host has answered is collected from its batches"),
        (args.exact_tokens and args.live, "--exact-tokens asks the host itself: leave out --live, the prompts are the same"),
    ):
        if is_wrong:
            return why
    return ""


def _host(script: Script, args: argparse.Namespace, named: str | None, results: Path) -> str:
    if named:
        return host_of_named(script, args, named, results)
    return script.host if args.list and not args.host else host_for(script, args)
