# shellcheck shell=bash
# Completion of rcmd-server for bash, with and without the package bash-completion.

_rcmd_server() {
    local cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} word
    COMPREPLY=()
    # Bash divides the words at =, too.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $option == = ]] && ((COMP_CWORD > 1)); then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $cur == --*=* ]]; then # but not if the user says otherwise
        option=${cur%%=*} cur=${cur#*=}
    fi
    local make=() verb='' signals flags=''
    if ((COMP_CWORD > 1)); then verb=${COMP_WORDS[1]}; fi
    case $verb in
    jobs) flags=--json ;;
    kill) flags="-s --signal" ;;
    esac
    case $option in
    -s | --signal)
        signals=$(compgen -A signal SIG)
        make=(-W "${signals//SIG/}")
        ;;
    --authorized-keys | --config | --log-file | --pid-file | --sftp-server) make=(-f) ;;
    --state-dir) make=(-d) ;;
    --log-level) make=(-W "debug info warning error") ;;
    --log-format) make=(-W "text json") ;;
    --drain | --listen | --login-grace | --max-jobs | --max-jobs-per-key | --max-keep | --max-sessions | --max-spool | --max-state | --max-unauthenticated | --retain | \
        --threads) ;;
    *)
        if ((COMP_CWORD == 1)) && [[ $cur != -* ]]; then flags="check jobs kill"; fi
        make=(-W "$flags -h --help -V --version --listen --authorized-keys --state-dir --config --daemon --pid-file --log-file
            --log-level --log-format --threads --max-sessions --max-unauthenticated --max-jobs --max-jobs-per-key --no-new-privs --login-grace --max-keep --max-spool --max-state --retain
            --drain --sftp-server")
        ;;
    esac
    ((${#make[@]})) || return 0
    if [[ ${make[0]} != -W ]]; then compopt -o filenames 2>/dev/null; fi # it complains when a test calls
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen "${make[@]}" -- "$cur")
}

complete -F _rcmd_server rcmd-server
