# Completion of pennon for bash.
#
# Everything is asked of the program: "pennon help" names the commands, "pennon help COMMAND" its options and what each takes, so
# that there is nothing here to fall behind. ("help" reads no configuration file, which might be wrong.)
# shellcheck shell=bash

# The subcommands of a command; of most there are none.
_pennon_subcommands()
{
    "$1" help "$2" 2> /dev/null | sed -nE '1{/ SUBCOMMAND /!q}; s/^  ([a-z]+)  .*/\1/p'
}

# One line an option: LONG:SHORT:VALUE, e.g. "--table:-t:DIR". Behind the program a command, and its subcommand if it has them.
_pennon_options()
{
    ARGP_HELP_FMT=rmargin=2000 "$1" help "${@:2}" 2> /dev/null |
        sed -nE 's/^ +((-.), )?(--[a-z-]+)(=([^ ]+))?( .*)?$/\3:\2:\5/p'
    echo "--config::FILE"
}

# Words for a value, by the name that the help gives it.
_pennon_value()
{
    local kind=$1 word=$2
    case $kind in
    DIR* | MODEL) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    FILE* | OUT* | SOURCE* | PICTURE*) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    MODE) mapfile -t COMPREPLY < <(compgen -W "crop pad squash" -- "$word") ;;
    FORMAT) mapfile -t COMPREPLY < <(compgen -W "ndjson csv npy" -- "$word") ;;
    HOW) mapfile -t COMPREPLY < <(compgen -W "append create exist_ok overwrite" -- "$word") ;;
    POLICY) mapfile -t COMPREPLY < <(compgen -W "error drop fill null" -- "$word") ;;
    ACTION*) # each command has its own; behind one of "pennon model" stand models, behind the others names
        if [ "$command" = table ]; then
            [[ " ${COMP_WORDS[*]:0:COMP_CWORD} " =~ \ (list|create|update|delete|add|drop|rename)\  ]] ||
                mapfile -t COMPREPLY < <(compgen -W "$([ "${command[1]}" = tag ] && echo list create update delete || echo add drop rename)" -- "$word")
        elif [ "$command" = index ]; then
            mapfile -t COMPREPLY < <(compgen -W "build status check drop" -- "$word")
        elif [[ " ${COMP_WORDS[*]:0:COMP_CWORD} " =~ \ (list|info|verify|pull)\  ]]; then
            _pennon_value MODEL "$word"
        else
            mapfile -t COMPREPLY < <(compgen -W "list info verify pull" -- "$word")
        fi
        ;;
    esac
}

_pennon()
{
    local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local -a command=()
    local is_help='' name='' options line i
    COMPREPLY=()
    # "--table=shop" is three words for bash.
    if [ "$word" = "=" ]; then
        word=
    elif [ "$before" = "=" ] && [ "$COMP_CWORD" -gt 2 ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --config) [ "${COMP_WORDS[i + 1]}" = "=" ] && ((i++)); ((i++)) ;;
        -*) ;;
        help) [ ${#command[@]} = 0 ] && is_help=1 ;;
        *)
            command+=("${COMP_WORDS[i]}")
            [ ${#command[@]} = 2 ] || [ -z "$(_pennon_subcommands "$program" "${command[0]}")" ] && break
            ;;
        esac
    done
    if [ "$before" = --config ]; then
        _pennon_value FILE "$word"
        return
    fi
    if [ ${#command[@]} = 0 ]; then
        name=$("$program" help 2> /dev/null | sed -nE 's/^  ([a-z]+)  .*/\1/p')
        [ -n "$is_help" ] || name+=" help --config --help --version"
    elif [ ${#command[@]} = 1 ]; then
        name=$(_pennon_subcommands "$program" "${command[0]}")
    fi
    if [ -n "$name" ] || [ -n "$is_help" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$name" -- "$word")
        return
    fi
    options=$(_pennon_options "$program" "${command[@]}")
    while IFS=: read -r line name i; do
        if [ -n "$i" ] && { [ "$before" = "$line" ] || [ "$before" = "$name" ]; }; then
            _pennon_value "$i" "$word"
            return
        fi
    done <<< "$options"
    case $word in
    -*)
        # An option with a value ends in "=", and the value follows at once.
        mapfile -t COMPREPLY < <(compgen -W "$(sed -E 's/^([^:]*):[^:]*:(.*)/\1=\2/; s/=$//; s/=.*/=/' <<< "$options")" -- "$word")
        [[ ${#COMPREPLY[@]} = 1 && ${COMPREPLY[0]} = *= ]] && compopt -o nospace
        ;;
    *)
        _pennon_value "$("$program" help "${command[@]}" 2> /dev/null | sed -nE '1s/.*\] //p')" "$word"
        ;;
    esac
}

complete -F _pennon pennon
