"""cmake --install: each file is where it belongs, and manual pages, completions and examples say what --help says."""
from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Callable

import pexpect
import pytest

from harness import BIN, DEADLINE, RCMD, RCMD_SERVER, Place, Server, base_environment, run, run_rcmd, write_private

PROGRAMS = {"bin/rcmd", "bin/rcmd-server"}
PAGES = {"share/man/man1/rcmd.1", "share/man/man5/rcmd-config.5", "share/man/man8/rcmd-server.8"}
BASH = {"rcmd": "share/bash-completion/completions/rcmd",
        "rcmd-server": "share/bash-completion/completions/rcmd-server"}
ZSH = {"rcmd": "share/zsh/site-functions/_rcmd", "rcmd-server": "share/zsh/site-functions/_rcmd-server"}
CLIENT_EXAMPLE = "share/doc/rcmd/examples/config.example.toml"
SERVER_EXAMPLE = "share/doc/rcmd/examples/server.example.toml"
UNITS = {"lib/systemd/system/rcmd-server.service", "lib/systemd/system/rcmd-server.socket"}

VERBS = ["keygen", "cp", "jobs", "attach", "kill"]
HELPS = [[RCMD], *([RCMD, verb] for verb in VERBS), [RCMD_SERVER]]
HELP_NAMES = ["rcmd", *VERBS, "rcmd-server"]
PACKAGE = Path("/usr/share/bash-completion/bash_completion")

# Bash itself divides the words of a line in this way.
BREAKS = "\"'@><=;|&(:"
COMPLETE = r"""
[[ -z $1 ]] || source "$1"
source "$2"
function=$3 COMP_LINE=$4 COMP_POINT=${#4} COMP_WORDBREAKS=$' \t\n'$5
shift 5
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"$function"
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"""

CONFIG = """
[host.backup]
port = 7421
[ host . "db.example.org" ]  # a comment
  [host.'web1']
[host."web*"]
[host."node?"]
#[host.commented]
[host."*"]
"""
CONFIGURED = {"backup", "db.example.org", "web1"}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything has been installed."""
    installed = tmp_path_factory.mktemp("prefix")
    result = run("cmake", "--install", str(BIN), "--prefix", str(installed))
    assert result.code == 0, result.message
    return installed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a configuration, a file of hosts, and other files."""
    home = tmp_path / "home"
    (home / ".config/rcmd").mkdir(parents=True)
    write_private(home / ".config/rcmd/config.toml", CONFIG)
    (home / "hosts").write_text("192.0.2.1 listed.example.org listed\n")
    (home / "file1").touch()
    (home / "with blank").touch()
    (home / "folder").mkdir()
    return home


def help_of(command: list[str]) -> str:
    result = run(*command, "--help")
    assert (result.code, result.err) == (0, b""), result
    return result.out.decode()


def long_options(text: str) -> set[str]:
    """All that are named anywhere."""
    return set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text))


def described_options(text: str) -> set[str]:
    """Those that --help has a description of."""
    return set(re.findall(r"^  (?:-\w,)?(--[a-z][\w-]*)", text, re.M))


def complete(prefix: Path, home: Path, line: str, package: bool = False, **variables: str) -> set[str]:
    """What is offered at the end of the line, in a shell whose directory is `home`."""
    name = line.split()[0]
    words = [piece for word in re.split(r"\s+", line) for piece in re.findall(r"[@=:]+|[^@=:]+", word) or [""]]
    environment = base_environment(home) | {"HOSTFILE": str(home / "hosts")} | variables
    result = run("bash", "-c", COMPLETE, "bash", str(PACKAGE) if package else "", str(prefix / BASH[name]),
                 "_" + name.replace("-", "_"), line, BREAKS, *words, env=environment, cwd=home)
    assert (result.code, result.err) == (0, b""), result
    return set(result.out.decode().splitlines())


# Files


def test_each_file_is_where_it_belongs_and_there_are_no_others(prefix: Path) -> None:
    found = {str(path.relative_to(prefix)): stat.S_IMODE(path.stat().st_mode)
             for path in prefix.rglob("*") if path.is_file()}
    others = PAGES | set(BASH.values()) | set(ZSH.values()) | UNITS | {CLIENT_EXAMPLE, SERVER_EXAMPLE}
    assert found == dict.fromkeys(PROGRAMS, 0o755) | dict.fromkeys(others, 0o644)


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_the_installed_programs_run(prefix: Path, program: str) -> None:
    result = run(str(prefix / program), "--version")
    assert (result.code, result.err) == (0, b"")
    assert re.fullmatch(rf"{Path(program).name} \d+\.\d+\.\d+\n", result.out.decode())


# Manual pages


@pytest.mark.parametrize("page", sorted(PAGES))
def test_mandoc_finds_nothing_wrong_with_a_manual_page(prefix: Path, page: str) -> None:
    result = run("mandoc", "-T", "lint", "-W", "warning", str(prefix / page))
    assert (result.code, result.out, result.err) == (0, b"", b"")


@pytest.mark.parametrize("page", sorted(PAGES))
@pytest.mark.parametrize("width", ["60", "80", "200"])
def test_man_shows_a_manual_page_without_a_warning(prefix: Path, home: Path, page: str, width: str) -> None:
    result = run("man", "--warnings", "-l", str(prefix / page), env=base_environment(home) | {"MANWIDTH": width})
    assert (result.code, result.err) == (0, b""), result.message
    assert Path(page).stem.encode() in result.out


def page_of(prefix: Path, program: str) -> Path:
    [page] = [page for page in PAGES if Path(page).stem == program]
    return prefix / page


def shown_page(prefix: Path, program: str) -> str:
    result = run("mandoc", "-T", "ascii", "-O", "width=200", str(page_of(prefix, program)))
    return re.sub(".\b", "", result.out.decode())


@pytest.mark.parametrize("command", HELPS, ids=HELP_NAMES)
def test_a_manual_page_has_every_option(prefix: Path, command: list[str]) -> None:
    options = long_options(help_of(command))
    assert len(options) > 3
    assert options - long_options(shown_page(prefix, Path(command[0]).name)) == set()


@pytest.mark.parametrize("program", ["rcmd", "rcmd-server"])
def test_a_manual_page_explains_no_option_that_there_is_not(prefix: Path, program: str) -> None:
    lines = re.findall(r"^\.It .*Fl .*", page_of(prefix, program).read_text(), re.M)
    explained = {"-" + name for line in lines for name in re.findall(r"(?:Fl|,) (-[a-z][\w-]+)", line)}
    options = {option for command in HELPS if Path(command[0]).name == program
               for option in described_options(help_of(command))}
    assert explained == options


# Completion by bash


@pytest.mark.parametrize("command", HELPS, ids=HELP_NAMES)
def test_bash_offers_the_long_options_that_there_are_and_no_others(prefix: Path, home: Path,
                                                                   command: list[str]) -> None:
    line = " ".join([Path(command[0]).name, *command[1:], "--"])
    assert complete(prefix, home, line) == described_options(help_of(command))


def test_bash_offers_short_options(prefix: Path, home: Path) -> None:
    assert {"-p", "-i", "-d", "--port"} <= complete(prefix, home, "rcmd -")
    assert {"-s", "-p", "--signal"} <= complete(prefix, home, "rcmd kill -")


def test_bash_offers_options_behind_the_host_but_not_behind_the_command(prefix: Path, home: Path) -> None:
    assert complete(prefix, home, "rcmd backup --tim") == {"--timeout"}
    assert complete(prefix, home, "rcmd -p 1 --job=x -qv backup -e A=b --tim") == {"--timeout"}
    for line in ("rcmd backup ls --tim", "rcmd backup -- --tim", "rcmd -- --tim", "rcmd -p --tim"):
        assert complete(prefix, home, line) == set(), line


def test_bash_offers_verbs_as_the_first_word_only(prefix: Path, home: Path) -> None:
    assert set(VERBS) <= complete(prefix, home, "rcmd ")
    assert complete(prefix, home, "rcmd k") == {"keygen", "kill"}
    for line in ("rcmd -q k", "rcmd -- k", "rcmd backup k", "rcmd attach k"):
        assert complete(prefix, home, line) == set(), line


def test_bash_offers_the_verbs_of_the_server_and_their_options(prefix: Path, home: Path) -> None:
    assert complete(prefix, home, "rcmd-server ") >= {"check", "jobs", "kill"}
    assert complete(prefix, home, "rcmd-server k") == {"kill"}
    assert complete(prefix, home, "rcmd-server --daemon k") == set()
    assert complete(prefix, home, "rcmd-server jobs --js") == {"--json"}
    assert complete(prefix, home, "rcmd-server kill --sig") == {"--signal"}
    assert complete(prefix, home, "rcmd-server kill -s KI") == {"KILL"}
    assert complete(prefix, home, "rcmd-server --js") == set()


@pytest.mark.parametrize("package", [False, True], ids=["alone", "bash-completion"])
@pytest.mark.parametrize("line", ["rcmd ", "rcmd -q ", "rcmd -p 7421 ", "rcmd -S x -- ", "rcmd jobs ", "rcmd attach ",
                                  "rcmd kill -s INT ", "rcmd attach --from=3,4 "])
def test_bash_offers_hosts_of_the_configuration_and_those_listed(prefix: Path, home: Path, line: str,
                                                                 package: bool) -> None:
    hosts = complete(prefix, home, line, package) - set(VERBS)
    assert CONFIGURED <= hosts and "listed" in hosts
    assert not [host for host in hosts if re.search(r"[*?]|node|commented", host)]


@pytest.mark.parametrize("package", [False, True], ids=["alone", "bash-completion"])
def test_bash_offers_hosts_behind_a_user(prefix: Path, home: Path, package: bool) -> None:
    assert {offer.lstrip("@") for offer in complete(prefix, home, "rcmd root@ba", package)} == {"backup"}


def test_bash_reads_the_configuration_that_rcmd_would_read(prefix: Path, home: Path) -> None:
    write_private(home / "other.toml", '[host.other]\nport = 1\n[host.last]')
    (home / "hosts").write_text("")
    for line in ("rcmd -F other.toml ", "rcmd --config=other.toml ", "rcmd -qF ~/other.toml "):
        assert complete(prefix, home, line) == {"other", "last"}, line
    assert complete(prefix, home, "rcmd -q ", RCMD_CONFIG=str(home / "other.toml")) == {"other", "last"}
    assert complete(prefix, home, "rcmd -q ", RCMD_CONFIG="none") == set()
    assert complete(prefix, home, "rcmd -F other.toml ", RCMD_CONFIG="none") == {"other", "last"}


@pytest.mark.parametrize("line", ["rcmd attach backup ", "rcmd kill backup ", "rcmd backup ", "rcmd --cwd ",
                                  "rcmd --job ", "rcmd cp backup:", "rcmd cp file1 root@backup:fi", "rcmd jobs backup ",
                                  "rcmd keygen ", "rcmd-server --listen "])
def test_bash_offers_nothing_that_it_would_have_to_ask_for(prefix: Path, home: Path, line: str) -> None:
    assert complete(prefix, home, line) == set()


@pytest.mark.parametrize(("line", "offers"), [
    ("rcmd -i fi", {"file1"}), ("rcmd --key fi", {"file1"}), ("rcmd --key=fi", {"file1"}), ("rcmd -vi fi", {"file1"}),
    ("rcmd -F fo", {"folder"}), ("rcmd backup -i fi", {"file1"}), ("rcmd keygen -f fi", {"file1"}),
    ("rcmd attach -i fi", {"file1"}), ("rcmd -l roo", {"root"}), ("rcmd -e HOM", {"HOME="}),
    ("rcmd -o ident", set()), ("rcmd -o Ident", {"IdentityFile="}), ("rcmd kill -s KI", {"KILL"}),
    ("rcmd-server --log-level w", {"warning"}), ("rcmd-server --log-level=w", {"warning"}),
    ("rcmd-server --pid-file fi", {"file1"}), ("rcmd-server --pid-file=fi", {"file1"}),
    ("rcmd-server --state-dir f", {"folder"})])
def test_bash_offers_values_of_options(prefix: Path, home: Path, line: str, offers: set[str]) -> None:
    assert complete(prefix, home, line) == offers


def test_bash_offers_files_here_and_hosts_to_copy(prefix: Path, home: Path) -> None:
    assert complete(prefix, home, "rcmd cp fi") == {"file1"}
    assert complete(prefix, home, "rcmd cp -r ./fo") == {"./folder"}
    assert complete(prefix, home, "rcmd cp ba") == {"backup:"}
    assert complete(prefix, home, "rcmd cp file1 ba") == {"backup:"}
    assert {offer.lstrip("@") for offer in complete(prefix, home, "rcmd cp file1 root@ba")} == {"backup:"}
    everything = complete(prefix, home, "rcmd cp ")
    assert {"file1 ", "folder/", "with\\ blank ", "listed:"} | {host + ":" for host in CONFIGURED} <= everything


@pytest.mark.parametrize("package", [False, True], ids=["alone", "bash-completion"])
@pytest.mark.parametrize(("typed", "shown"), [
    ("rcmd --keep-g", "rcmd --keep-going "), ("rcmd att", "rcmd attach "), ("rcmd root@ba", "rcmd root@backup "),
    ("rcmd --key=fi", "rcmd --key=file1 "), ("rcmd cp wi", "rcmd cp with\\ blank "), ("rcmd cp fo", "rcmd cp folder/"),
    ("rcmd cp ba", "rcmd cp backup:"), ("rcmd cp root@ba", "rcmd cp root@backup:"),
    ("rcmd-server --retain=3 --log-level=w", "rcmd-server --retain=3 --log-level=warning ")])
def test_a_tab_typed_in_bash_completes_the_line(prefix: Path, home: Path, typed: str, shown: str,
                                                package: bool) -> None:
    (home / ".inputrc").write_text("set enable-bracketed-paste off\nset bell-style none\n")
    environment = base_environment(home) | {"HOSTFILE": str(home / "hosts")}
    shell = pexpect.spawn("bash", ["--noprofile", "--norc"], env=environment, cwd=str(home), encoding="utf-8",
                          timeout=DEADLINE, dimensions=(24, 200))
    try:
        sources = [*([PACKAGE] if package else []), *(prefix / path for path in BASH.values())]
        shell.sendline("; ".join([*(f"source {path}" for path in sources), "PS1='rea''dy> '"]))
        shell.expect_exact("ready> ")
        shell.send(typed + "\t")
        shell.expect_exact(shown)
    finally:
        shell.close(force=True)


# Completion by zsh


@pytest.mark.parametrize("program", sorted(ZSH))
def test_zsh_takes_a_completion(prefix: Path, program: str) -> None:
    result = run("zsh", "-n", str(prefix / ZSH[program]))
    assert (result.code, result.out, result.err) == (0, b"", b"")


def test_zsh_knows_what_completes_the_programs(prefix: Path, home: Path) -> None:
    script = "fpath=($1 $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[rcmd] $_comps[rcmd-server]"
    result = run("zsh", "-f", "-c", script, "zsh", str((prefix / ZSH["rcmd"]).parent), env=base_environment(home))
    assert (result.code, result.out, result.err) == (0, b"_rcmd _rcmd-server\n", b"")


@pytest.mark.parametrize("command", HELPS, ids=HELP_NAMES)
def test_a_completion_of_zsh_names_every_option(prefix: Path, command: list[str]) -> None:
    text = (prefix / ZSH[Path(command[0]).name]).read_text()
    assert described_options(help_of(command)) - long_options(text) == set()


# Examples


def uncommented(path: Path) -> str:
    """The example with every setting in force."""
    text, count = re.subn(r"^#(?=[\[a-z])", "", path.read_text(), flags=re.M)
    assert count > 3
    return text


def settings(place: Place, config: Path, host: str) -> list[str]:
    result = run_rcmd(place, "-G", host, env={"RCMD_CONFIG": str(config)})
    assert (result.code, result.err) == (0, b""), result
    return result.out.decode().splitlines()


def test_the_example_of_a_configuration_does_nothing_as_it_stands(prefix: Path, place: Place) -> None:
    none = run_rcmd(place, "-F", "none", "-G", "backup").out.decode().splitlines()
    assert settings(place, prefix / CLIENT_EXAMPLE, "backup") == none


def test_the_example_of_a_configuration_is_accepted(prefix: Path, place: Place) -> None:
    config = place.home / "config.toml"
    write_private(config, uncommented(prefix / CLIENT_EXAMPLE))
    assert {"hostname 192.0.2.7", "port 7421", "user operator", "keep 28800", "timeout 3600",
            f"identityfile {place.home}/.config/rcmd/backup.key"} <= set(settings(place, config, "backup"))
    assert {"hostname web1.example.org", "setenv LANG=C.UTF-8", "keep 300"} <= set(settings(place, config, "web1"))


def test_the_example_and_the_manual_page_have_every_setting(prefix: Path, place: Place) -> None:
    config = place.home / "wrong.toml"
    write_private(config, "[host.backup]\nnosuch = 1\n")
    result = run_rcmd(place, "-F", str(config), "-G", "backup")
    result.failed_by_itself()
    names = set(re.search(r"there are ([a-z, -]+);", result.message.strip()).group(1).split(", "))
    assert len(names) > 3
    assert set(re.findall(r"^([a-z-]+) =", uncommented(prefix / CLIENT_EXAMPLE), re.M)) == names
    assert set(re.findall(r"^\.It Ic (\S+)", page_of(prefix, "rcmd-config").read_text(), re.M)) == names


def options_elsewhere(place: Place, config: Path) -> list[str]:
    """The command line counts before the file: nothing is written outside the place."""
    return ["--config", str(config), "--pid-file", str(place.root / "pid"), "--log-file", str(place.root / "log")]


@pytest.mark.parametrize("in_force", [False, True], ids=["as-it-stands", "uncommented"])
def test_the_example_of_the_servers_configuration_is_accepted(
        prefix: Path, make_place: Callable[..., Place], make_server: Callable[..., Server], in_force: bool) -> None:
    place = make_place()
    example = prefix / SERVER_EXAMPLE
    config = place.root / "server.toml"
    write_private(config, uncommented(example) if in_force else example.read_text())
    assert make_server(*options_elsewhere(place, config), place=place).serves()


def test_the_example_of_the_servers_configuration_has_every_option(prefix: Path) -> None:
    names = set(re.findall(r"^([a-z-]+) =", uncommented(prefix / SERVER_EXAMPLE), re.M))
    options = {option.removeprefix("--") for option in described_options(help_of([RCMD_SERVER]))}
    assert names == options - {"help", "version", "config"}
