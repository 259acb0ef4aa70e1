"""git with rcmd instead of ssh: clone, fetch, push, and what git says when that cannot be done."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable

import pytest

from callers import AWKWARD_NAMES, MIB, USER, call, configure, contents, random_file, succeeds
from cutter import at_random, cutter
from harness import RCMD, Result, Server, scaled

NAMED_BY = {"GIT_SSH_COMMAND": {"GIT_SSH_COMMAND": "rcmd"}, "GIT_SSH": {"GIT_SSH": RCMD}}
LARGE = scaled(200 * MIB, least=8 * MIB)
IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Tester"), ("EMAIL", "tester@example.org"), ("DATE", "1000000000 +0000"))}


# What is transferred is noise: nothing is gained by compressing it.
NO_NEEDLESS_WORK = ("-c", "core.compression=0", "-c", "pack.window=0", "-c", "gc.auto=0")


def git(server: Server, *words: Any, env: dict[str, str] | None = None, **options: Any) -> Result:
    env = {"GIT_CONFIG_NOSYSTEM": "1"} | IDENTITY | (NAMED_BY["GIT_SSH_COMMAND"] if env is None else env)
    return call(server.place, "git", *NO_NEEDLESS_WORK, *map(str, words), env=env, **options)


def git_succeeds(server: Server, *words: Any, **options: Any) -> str:
    result = git(server, *words, **options)
    assert result.code == 0, (words, result)
    return result.out.decode().strip()


def url(server: Server, path: Path, port: int | None = None) -> str:
    return f"ssh://127.0.0.1:{port or server.port}{path}"


def commit(server: Server, work: Path, message: str) -> str:
    """Commits all that is in a working tree, and returns the commit's name."""
    git_succeeds(server, "-C", work, "add", "-A")
    git_succeeds(server, "-C", work, "commit", "-q", "-m", message)
    return git_succeeds(server, "-C", work, "rev-parse", "HEAD")


def make_repository(server: Server, root: Path, fill: Callable[[Path], None]) -> Path:
    """A bare repository of one commit, with what `fill` makes of its working tree, which stays beside it."""
    work = root / "origin's tree"
    work.mkdir(parents=True)
    git_succeeds(server, "init", "-q", "-b", "main", work)
    fill(work)
    commit(server, work, "first")
    bare = root / "it's a repository.git"
    git_succeeds(server, "clone", "-q", "--bare", work, bare)
    for option, value in (("core.compression", 0), ("pack.window", 0)):
        git_succeeds(server, "-C", bare, "config", option, value)
    git_succeeds(server, "-C", bare, "repack", "-a", "-d", "-q")
    git_succeeds(server, "-C", work, "remote", "add", "origin", bare)
    return bare


def small(work: Path) -> None:
    for name in AWKWARD_NAMES:
        (work / name).write_text(name)
    (work / "link").symlink_to("a b")
    (work / "program").write_text("#!/bin/sh\n")
    (work / "program").chmod(0o755)


def noise(work: Path) -> None:
    for number in range(20):
        random_file(work / str(number), LARGE // 20)


@pytest.fixture
def repository(server: Server, tmp_path: Path) -> Path:
    return make_repository(server, tmp_path / "over there", small)


@pytest.fixture(scope="module")
def large(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(server, tmp_path_factory.mktemp("large"), noise)


def head(server: Server, repository: Path) -> str:
    return git_succeeds(server, "-C", repository, "rev-parse", "HEAD")


named = pytest.mark.parametrize("by", NAMED_BY)


@named
def test_clone_push_and_fetch_through_a_url_with_a_port(server: Server, repository: Path, tmp_path: Path,
                                                        by: str) -> None:
    env = NAMED_BY[by]
    mine, other = tmp_path / "mine", tmp_path / "other"
    for target in (mine, other):
        assert git(server, "clone", "-q", url(server, repository), target, env=env) == Result(0, b"", b"")
    assert head(server, mine) == head(server, repository)
    assert (mine / "two\nlines").read_text() == "two\nlines" and (mine / "link").is_symlink()

    (mine / "fresh").write_text("fresh")
    fresh = commit(server, mine, "second")
    assert git(server, "-C", mine, "push", "-q", "origin", "main", env=env) == Result(0, b"", b"")
    assert head(server, repository) == fresh

    assert git(server, "-C", other, "fetch", "-q", env=env) == Result(0, b"", b"")
    assert git_succeeds(server, "-C", other, "rev-parse", "origin/main") == fresh
    assert git(server, "-C", other, "pull", "-q", env=env) == Result(0, b"", b"")
    assert (other / "fresh").read_text() == "fresh"


@named
def test_the_protocol_of_version_2_is_spoken(server: Server, repository: Path, by: str) -> None:
    result = git(server, "ls-remote", url(server, repository), env=NAMED_BY[by] | {"GIT_TRACE_PACKET": "1"})
    assert result.code == 0, result
    assert re.search(r"packet:\s+\S+< version 2$", result.message, re.M), result.message
    assert re.search(r"packet:\s+\S+> command=ls-refs$", result.message, re.M), result.message


@named
def test_the_protocol_of_version_0_is_spoken_when_that_is_wanted(server: Server, repository: Path, by: str) -> None:
    result = git(server, "-c", "protocol.version=0", "ls-remote", url(server, repository),
                 env=NAMED_BY[by] | {"GIT_TRACE_PACKET": "1"})
    assert result.code == 0 and "version 2" not in result.message
    assert f"{head(server, repository)}\trefs/heads/main\n" in result.out.decode()


@pytest.mark.parametrize("word", ["-4", "--ipv4"])
def test_an_address_family_is_passed_on(server: Server, repository: Path, tmp_path: Path, word: str) -> None:
    git_succeeds(server, "clone", "-q", word, url(server, repository), tmp_path / "clone")
    assert head(server, tmp_path / "clone") == head(server, repository)


def test_another_address_family_than_the_hosts_fails(server: Server, repository: Path, tmp_path: Path) -> None:
    result = git(server, "clone", "-q", "-6", url(server, repository), tmp_path / "clone")
    assert result.code == 128 and "rcmd: 127.0.0.1" in result.message
    assert not (tmp_path / "clone").exists()


def test_a_user_in_the_url(server: Server, repository: Path) -> None:
    there = url(server, repository)
    assert head(server, repository) in git_succeeds(server, "ls-remote", there.replace("://", f"://{USER}@"))
    result = git(server, "ls-remote", there.replace("://", "://nosuchuser@"))
    assert result.code == 128 and "\nrcmd: 127.0.0.1: " in "\n" + result.message


def test_a_host_of_the_configuration_in_the_short_form_of_a_url(make_server: Callable[..., Server], repository: Path,
                                                                tmp_path: Path) -> None:
    server = make_server()
    configure(server.place, {"forge": {"address": "127.0.0.1", "port": server.port}})
    git_succeeds(server, "clone", "-q", f"forge:{repository}", tmp_path / "clone")
    assert head(server, tmp_path / "clone") == head(server, repository)


def test_a_command_with_options_in_gits_configuration(server: Server, repository: Path, tmp_path: Path) -> None:
    git_succeeds(server, "-c", f"core.sshCommand=rcmd -q -o 'Port {server.port}'", "clone", "-q",
                 f"127.0.0.1:{repository}", tmp_path / "clone", env={})
    assert head(server, tmp_path / "clone") == head(server, repository)


def test_a_shallow_clone_and_its_deepening(server: Server, repository: Path, tmp_path: Path) -> None:
    work = repository.parent / "origin's tree"
    for number in range(5):
        (work / "counter").write_text(str(number))
        commit(server, work, f"number {number}")
    git_succeeds(server, "-C", work, "push", "-q", "origin", "main")
    clone = tmp_path / "clone"
    git_succeeds(server, "clone", "-q", "--depth", "1", url(server, repository), clone)
    assert git_succeeds(server, "-C", clone, "rev-list", "--count", "HEAD") == "1"
    git_succeeds(server, "-C", clone, "fetch", "-q", "--unshallow")
    assert git_succeeds(server, "-C", clone, "rev-list", "--count", "HEAD") == "6"


def test_an_archive_of_the_other_side(server: Server, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    archive = git(server, "archive", f"--remote={url(server, repository)}", "main")
    assert (archive.code, archive.err) == (0, b"")
    succeeds(server.place, "tar", "-x", "-C", str(tmp_path / "tree"), input=archive.out)
    work = contents(repository.parent / "origin's tree")
    assert contents(tmp_path / "tree") == {name: what for name, what in work.items() if not name.startswith(b".git")}


def test_what_a_hook_says_is_shown_and_its_refusal_counts(server: Server, repository: Path, tmp_path: Path) -> None:
    hook = repository / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho nothing is taken today >&2\nexit 1\n")
    hook.chmod(0o755)
    clone = tmp_path / "clone"
    git_succeeds(server, "clone", "-q", url(server, repository), clone)
    before = head(server, repository)
    (clone / "fresh").touch()
    commit(server, clone, "refused")
    result = git(server, "-C", clone, "push", "origin", "main")
    assert result.code == 1, result
    assert "remote: nothing is taken today" in result.message and "pre-receive hook declined" in result.message
    assert head(server, repository) == before


def test_a_repository_that_is_not_there_gets_gits_own_error(server: Server, tmp_path: Path) -> None:
    missing = tmp_path / "no such repository"
    for words in (["clone", "-q", url(server, missing), tmp_path / "clone"], ["ls-remote", url(server, missing)]):
        result = git(server, *words)
        assert result.code == 128, result
        assert f"fatal: '{missing}' does not appear to be a git repository\n" in result.message
        assert "fatal: Could not read from remote repository." in result.message
        assert "rcmd: " not in result.message
    assert not (tmp_path / "clone").exists()


def test_a_fetch_of_a_repository_that_is_gone_changes_nothing(server: Server, repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git_succeeds(server, "clone", "-q", url(server, repository), clone)
    before = git_succeeds(server, "-C", clone, "show-ref")
    repository.rename(tmp_path / "moved away")
    result = git(server, "-C", clone, "fetch")
    assert result.code == 128
    assert f"fatal: '{repository}' does not appear to be a git repository\n" in result.message.replace("\\'", "'")
    assert git_succeeds(server, "-C", clone, "show-ref") == before


def test_a_host_that_is_not_reached_is_named(make_server: Callable[..., Server], repository: Path) -> None:
    server = make_server()
    server.kill()
    result = git(server, "ls-remote", url(server, repository))
    assert result.code == 128
    told = [line for line in result.message.splitlines() if line.startswith("rcmd: ")]
    assert len(told) == 1 and "127.0.0.1" in told[0], result.message
    assert "fatal: Could not read from remote repository." in result.message


def test_a_large_repository_is_cloned_and_pushed(server: Server, large: Path, tmp_path: Path) -> None:
    clone, target = tmp_path / "clone.git", tmp_path / "target.git"
    assert git(server, "clone", "-q", "--bare", url(server, large), clone) == Result(0, b"", b"")
    git_succeeds(server, "init", "-q", "--bare", "-b", "main", target)
    assert git(server, "-C", clone, "push", "-q", url(server, target), "main") == Result(0, b"", b"")
    assert head(server, target) == head(server, clone) == head(server, large)
    git_succeeds(server, "-C", target, "fsck", "--full", "--strict")


def test_a_broken_network_does_not_show(server: Server, large: Path, tmp_path: Path) -> None:
    """What arrives is what the names say, or git would not take it."""
    clone, target = tmp_path / "clone.git", tmp_path / "target.git"
    git_succeeds(server, "init", "-q", "--bare", "-b", "main", target)
    env = {"GIT_SSH_COMMAND": "rcmd -q"}
    with cutter(server, at_random(11, 6, LARGE // 20, LARGE // 8), how="reset") as proxy:
        result = git(server, "clone", "-q", "--bare", url(server, large, proxy.port), clone, env=env)
        assert result == Result(0, b"", b"")
        assert proxy.cut == 6
    with cutter(server, at_random(12, 6, LARGE // 20, LARGE // 8), how="close") as proxy:
        result = git(server, "-C", clone, "push", "-q", url(server, target, proxy.port), "main", env=env)
        assert result == Result(0, b"", b"")
        assert proxy.cut == 6
    assert head(server, target) == head(server, clone) == head(server, large)


def test_progress_is_shown_as_git_shows_it(server: Server, repository: Path, tmp_path: Path) -> None:
    result = git(server, "clone", "--progress", url(server, repository), tmp_path / "clone")
    assert result.code == 0
    for shown in ("\nremote: Enumerating objects: ", "Receiving objects: 100%"):
        assert shown in result.message
