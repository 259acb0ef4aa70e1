# shellcheck shell=bash
# Completion of rcmd for bash. It asks no network: hosts come from files, ids of jobs and paths over there are not completed.
# It works with and without the package bash-completion. The functions share the variables of _rcmd, which is the first to run.

# words: those up to the cursor as they stand on the command line. Bash divides them at : = and @, too.
_rcmd_split() {
    local line=${COMP_LINE:0:${COMP_POINT:-${#COMP_LINE}}} piece i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        piece=${COMP_WORDS[i]}
        if ((i == 0)) || [[ ! ${COMP_LINE-} || $line == [[:blank:]]* ]]; then words+=(""); fi
        line=${line#"${line%%[![:blank:]]*}"}
        if ((i == COMP_CWORD)) && [[ ${COMP_LINE-} ]]; then piece=$line; fi
        line=${line#"$piece"}
        words[-1]+=$piece
    done
}

# Offers all arguments. Of each bash wants only what stands behind the last : = or @ of the word.
_rcmd_offer() {
    local sign head done="" word
    for sign in : = @; do
        [[ $COMP_WORDBREAKS == *"$sign"* && $cur == *"$sign"* ]] || continue
        head=${cur%"${cur##*"$sign"}"}
        if [[ $sign == @ ]] && shopt -q hostcomplete; then head=${head%@}; fi # then it wants the @ as well
        if ((${#head} > ${#done})); then done=$head; fi
    done
    for word; do COMPREPLY+=("${word#"$done"}"); done
}

# Offers those arguments that begin as the word does.
_rcmd_match() {
    local word
    for word; do
        if [[ $word == "$cur"* ]]; then _rcmd_offer "$word"; fi
    done
}

_rcmd_compopt() { compopt "$@" 2>/dev/null || true; } # it complains when a test calls

# Files, behind $1 in the word.
_rcmd_files() {
    local name
    _rcmd_compopt -o filenames
    while IFS= read -r name; do _rcmd_offer "$1$name"; done < <(compgen -f -- "${cur#"$1"}")
}

# Words of the list $3, which compgen makes with the options $2, behind $1 in the word.
_rcmd_list() {
    local word
    while IFS= read -r word; do _rcmd_offer "$1$word"; done < <(compgen "${@:2}" -- "${cur#"$1"}")
}

# The names of the tables [host.NAME] in the configuration that rcmd would read; those with * or ? are patterns.
_rcmd_configured() {
    local quote="'" line name file files=(~/.config/rcmd/config.toml /etc/rcmd/config.toml)
    local table="^[[:blank:]]*\\[[[:blank:]]*host[[:blank:]]*\\.[[:blank:]]*(\"([^\"]+)\"|$quote([^$quote]+)$quote|([[:alnum:]_-]+))[[:blank:]]*\\]"
    if [[ ${config:=${RCMD_CONFIG-}} ]]; then files=("${config/#\~\//~/}"); fi
    for file in "${files[@]}"; do
        [[ -f $file && -r $file ]] || continue
        while IFS= read -r line || [[ $line ]]; do
            [[ $line =~ $table ]] || continue
            name=${BASH_REMATCH[2]}${BASH_REMATCH[3]}${BASH_REMATCH[4]}
            if [[ $name != *[*?]* ]]; then printf '%s\n' "$name"; fi
        done <"$file"
    done
}

# Prints the hosts that begin with $1.
_rcmd_known() {
    local COMPREPLY=() name
    if declare -F _known_hosts_real >/dev/null; then
        _known_hosts_real -- "$1" 2>/dev/null
    else
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$1")
    fi
    while IFS= read -r name; do
        if [[ $name == "$1"* ]]; then COMPREPLY+=("$name"); fi
    done < <(_rcmd_configured)
    if ((${#COMPREPLY[@]})); then printf '%s\n' "${COMPREPLY[@]}" | sort -u; fi
}

# Hosts, behind USER@ too, each with $1 behind it.
_rcmd_hosts() {
    local user="" name
    if [[ $cur == *@* ]]; then user=${cur%"${cur##*@}"}; fi
    while IFS= read -r name; do _rcmd_offer "$user$name$1"; done < <(_rcmd_known "${cur#"$user"}")
}

# A file here, or HOST: of another machine, whose files are not asked for.
_rcmd_place() {
    local name
    if [[ $cur == *:* && ${cur%%:*} != */* ]]; then return; fi
    if [[ $cur != */* ]]; then _rcmd_hosts :; fi
    if ((${#COMPREPLY[@]} == 0)); then
        _rcmd_files ""
        return
    fi
    _rcmd_compopt -o nospace # readline would put a backslash before the colon of a file
    while IFS= read -r name; do
        if [[ -d $name ]]; then _rcmd_offer "$(printf %q "$name")/"; else _rcmd_offer "$(printf %q "$name") "; fi
    done < <(compgen -f -- "$cur")
}

# The value of the option $1, behind $2 in the word.
_rcmd_value() {
    case $1 in
    -i | --key | -F | --config | -f | --file | -S) _rcmd_files "$2" ;;
    -l | --user) _rcmd_list "$2" -u ;;
    -s | --signal) _rcmd_list "$2" -W "HUP INT QUIT KILL USR1 USR2 TERM CONT STOP TSTP WINCH" ;;
    -e | --env)
        _rcmd_compopt -o nospace
        _rcmd_list "$2" -e -S =
        ;;
    -o | --option)
        _rcmd_compopt -o nospace
        _rcmd_list "$2" -S = -W "AddressFamily ConnectTimeout HostKeyAlias HostName IdentityFile LogLevel Port
            RequestTTY SendEnv SessionType SetEnv StdinNull StrictHostKeyChecking User UserKnownHostsFile"
        ;;
    esac
}

# Goes through the words before the cursor from number $1 on, as getopt does.
# operands: how many there are; waiting: the option whose value the word at the cursor is; ended: no options any more.
_rcmd_walk() {
    local i j word short
    for ((i = $1; i < ${#words[@]} - 1; i++)); do
        word=${words[i]}
        if [[ $waiting ]]; then
            if [[ $waiting == -F || $waiting == --config ]]; then config=$word; fi
            waiting=
        elif [[ $ended || $word != -?* ]]; then
            ((operands += 1))
            if [[ ! $verb ]] && ((operands > 1)); then ended=yes; fi
        elif [[ $word == -- ]]; then
            ended=yes
        elif [[ $word == --* ]]; then
            if [[ $word == --config=* ]]; then config=${word#*=}; fi
            if [[ " $valued " == *" $word "* ]]; then waiting=$word; fi
        else
            for ((j = 1; j < ${#word}; j++)); do
                short=-${word:j:1}
                [[ " $valued " == *" $short "* ]] || continue
                if ((j == ${#word} - 1)); then waiting=$short; fi
                break
            done
        fi
    done
}

_rcmd() {
    local words cur verb="" first=1 operands=0 waiting="" ended="" config=""
    local valued="-p --port -l --user -i --key -F --config -o --option" # options with a value
    local flags="-h --help -4 --ipv4 -6 --ipv6 -q --quiet -v --verbose"
    COMPREPLY=()
    _rcmd_split
    cur=${words[-1]}
    if ((${#words[@]} > 2)); then
        case ${words[1]} in
        keygen | cp | jobs | attach | kill) verb=${words[1]} first=2 ;;
        esac
    fi
    case $verb in
    keygen) valued="-f --file --id" flags="-h --help --line" ;;
    cp)
        valued="${valued/-p --port/-P --port} --keep"
        flags+=" -r --recursive -p --preserve"
        ;;
    jobs) flags+=" --json" ;;
    attach)
        valued+=" --from --status-fd --keep"
        flags+=" --tail"
        ;;
    kill) valued+=" -s --signal" ;;
    *)
        valued+=" --timeout --keep --job --cwd -e --env --status-fd --unknown-status --jobs"
        flags+=" -V --version -t --tty -T --no-tty -n --no-stdin -N --no-command -s --subsystem -G --settings -d --detach
            --combine --wait-eof --argv --json --batch --keep-going"
        ;;
    esac
    local offered="$valued $flags"
    if [[ ! $verb ]]; then valued+=" -S -c -m"; fi # of ssh, ignored

    _rcmd_walk "$first"
    if [[ $waiting ]]; then
        _rcmd_value "$waiting" ""
    elif [[ ! $ended && $cur == --*=* ]]; then
        _rcmd_value "${cur%%=*}" "${cur%%=*}="
    elif [[ ! $ended && $cur == -* ]]; then
        # shellcheck disable=SC2086
        _rcmd_match $offered
    else
        if ((${#words[@]} == 2)); then _rcmd_match keygen cp jobs attach kill; fi
        case $verb in
        keygen) ;;
        cp) _rcmd_place ;;
        *) if ((operands == 0)); then _rcmd_hosts ""; fi ;;
        esac
    fi
}

complete -F _rcmd rcmd
