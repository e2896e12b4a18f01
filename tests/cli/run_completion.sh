#!/usr/bin/env bash
# What bash and zsh offer behind "pennon ..." is what the program has: commands, the options of each, values.
# A zsh on a terminal of its own is sent the keys; what it would add is written to a file.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $1"; exit 1; }
mkdir "$work/bin" "$work/here" "$work/here/some folder" "$work/here/shop.lance"
touch "$work/here/a picture.jpg" "$work/here/pennon.yaml"
echo 'wrong' > "$work/here/pennon.yaml" # must not matter
ln -s "$PENNON" "$work/bin/pennon"
export PATH="$work/bin:$PATH"
cd "$work/here"
commands=$(pennon help | sed -nE 's/^  ([a-z]+)  .*/\1/p')
[ "$(wc -l <<< "$commands")" = 15 ] || fail "fifteen commands: $commands"
subcommands=$(pennon table --help | sed -nE 's/^  ([a-z]+)  .*/\1/p')
[ "$(wc -l <<< "$subcommands")" -ge 2 ] || fail "subcommands: $subcommands"
all=$(grep -v '^table$' <<< "$commands"; while read -r name; do echo "table $name"; done <<< "$subcommands") # one a line, with options of its own
# From the short usage, which is another text than the one that the completion reads.
options_of() { { pennon help "$@" | sed -nE 's/^ .*(--[a-z-]+).*/\1/p' | grep -q . && echo --config
    COLUMNS=500 PENNON_CONFIG=/dev/null ARGP_HELP_FMT=rmargin=2000 pennon "$@" --usage | grep -oE -- '--[a-z-]+'; } | sort -u; }

# ---- bash
# shellcheck source=/dev/null
. "$PN_SOURCE_DIR/completion/pennon.bash"
compopt() { :; } # only there while a key is handled
bash_offers() { # words; the last is the one to complete
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _pennon
    [ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
}

# ---- zsh
cat > "$work/zsh.zsh" <<'END'
# zsh.zsh SETUP RESULT KEYS: what completion adds behind the keys
zmodload zsh/zpty zsh/zselect
zpty -b z zsh -f -i
zpty -w z "source ${(q)1}; touch ${(q)2}.ready"
for i in {1..400}; do [[ -e $2.ready ]] && break; zpty -r z junk; zselect -t 2; done
zpty -n -w z "$3"$'\t'
for i in {1..400}; do [[ -e $2.done ]] && break; zpty -r z junk; zselect -t 2; done
zpty -d z
[[ -e $2.done ]]
END
cat > "$work/setup.zsh" <<END
cd ${work@Q}/here; PATH=${work@Q}/bin:\$PATH; PROMPT=; unset HISTFILE; setopt no_beep no_list_beep
fpath=(${PN_SOURCE_DIR@Q}/completion \$fpath)
autoload -Uz compinit && compinit -u -D
stty -onlcr -echo; bindkey '^I' expand-or-complete
compadd() {
    # Calls that only sort matches into arrays are not offers.
    if [[ \${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
        local -a offered
        builtin compadd -O offered "\$@"
        (( \$#offered )) && print -rl -- \$offered >> ${work@Q}/offers
    fi
    builtin compadd "\$@"
}
told() { touch ${work@Q}/offers.done }
comppostfuncs=(told)
END
zsh_offers() { # keys
    rm -f "$work"/offers*
    timeout 60 zsh -f "$work/zsh.zsh" "$work/setup.zsh" "$work/offers" "$1" > /dev/null 2>&1 || fail "zsh does not answer to '$1'"
    [ ! -f "$work/offers" ] || sed 's/\\//g' "$work/offers" | sort -u # a blank comes as it would be typed
}

same() { # what, wanted, offered
    [ "$2" = "$3" ] || fail "$1: $(diff <(echo "$2") <(echo "$3") | grep '^[<>]' | tr '\n' ' ')"
}
wanted=$(sort <<< "$commands")$'\nhelp'
same "bash: commands" "$(sort <<< "$wanted"$'\n--config\n--help\n--version')" "$(bash_offers pennon '' | sort)"
same "bash: s..." "$(sort <<< $'search\nserve\nshow')" "$(bash_offers pennon s | sort)"
same "bash: help" "$(sort <<< "$commands")" "$(bash_offers pennon help '' | sort)"
while read -ra command; do
    same "bash: ${command[*]}" "$(options_of "${command[@]}")" "$(bash_offers pennon "${command[@]}" -- | sed 's/=$//' | sort)"
done <<< "$all"
same "bash: table" "$(sort <<< "$subcommands")" "$(bash_offers pennon table '' | sort)"
same "bash: table s" 'schema' "$(bash_offers pennon --config x table sc)"
same "bash: help table" "$(sort <<< "$subcommands")" "$(bash_offers pennon help table '' | sort)"
same "bash: help info" '' "$(bash_offers pennon help info '')"
same "bash: table info -t" 'shop.lance' "$(bash_offers pennon table info -t sh)"
same "bash: --table" $'shop.lance\nsome folder' "$(bash_offers pennon search shoes --table '' | sort)"
same "bash: --table=s" $'shop.lance\nsome folder' "$(bash_offers pennon search --table = s | sort)"
same "bash: -t" 'shop.lance' "$(bash_offers pennon search -t sh)"
same "bash: --preprocess" $'crop\npad\nsquash' "$(bash_offers pennon --config = x ingest --preprocess '')"
same "bash: --mode=" 'pad' "$(bash_offers pennon preprocess --mode = p)"
same "bash: --format" $'csv\nndjson\nnpy' "$(bash_offers pennon table export --format '' | sort)"
same "bash: --on-bad-vectors" $'drop\nerror\nfill\nnull' "$(bash_offers pennon table import --on-bad-vectors '' | sort)"
same "bash: --mode of import" $'append\ncreate\nexist_ok\noverwrite' "$(bash_offers pennon table import --mode '' | sort)"
same "bash: FILE" 'a picture.jpg' "$(bash_offers pennon table import a)"
same "bash: ACTION" $'info\nlist\npull\nverify' "$(bash_offers pennon model '' | sort)"
same "bash: ACTION of tag" $'create\ndelete\nlist\nupdate' "$(bash_offers pennon table tag '' | sort)"
same "bash: NAME of tag" '' "$(bash_offers pennon table tag create '')"
same "bash: ACTION of column" $'add\ndrop\nrename' "$(bash_offers pennon table column '' | sort)"
same "bash: info MODEL" $'shop.lance\nsome folder' "$(bash_offers pennon model --json info s | sort)"
same "bash: -o" 'a picture.jpg' "$(bash_offers pennon preprocess -o a)"
same "bash: SOURCE" 'a picture.jpg' "$(bash_offers pennon ingest a)"
same "bash: --config" 'pennon.yaml' "$(bash_offers pennon --config p)"
same "bash: words" '' "$(bash_offers pennon search a)"
same "bash: --count" '' "$(bash_offers pennon search --count '')"
echo "bash: $(wc -l <<< "$all") commands and their options"

command -v zsh > /dev/null || { echo "skipped: no zsh"; exit 77; }
# A container without /dev/pts has no terminal to give away.
zsh -f -c 'zmodload zsh/zpty; zpty z true' 2> /dev/null || { echo "skipped: no pseudo terminals here"; exit 77; }
same "zsh: commands" "$(sort <<< "$wanted")" "$(zsh_offers 'pennon ' | sort)"
same "zsh: help" "$(sort <<< "$commands")" "$(zsh_offers 'pennon help ')"
while read -ra command; do
    same "zsh: ${command[*]}" "$(options_of "${command[@]}")" "$(zsh_offers "pennon ${command[*]} --" < /dev/null | grep -o -- '--[a-z-]*' | sort -u)"
done <<< "$all"
same "zsh: table" "$(sort <<< "$subcommands")" "$(zsh_offers 'pennon table ')"
same "zsh: help table" "$(sort <<< "$subcommands")" "$(zsh_offers 'pennon help table ')"
same "zsh: table info -t" 'shop.lance' "$(zsh_offers 'pennon table info -t sh')"
same "zsh: --preprocess" $'crop\npad\nsquash' "$(zsh_offers 'pennon ingest --preprocess ')"
same "zsh: --table" $'shop.lance\nsome folder' "$(zsh_offers 'pennon search --table s')"
same "zsh: ACTION" $'info\nlist\npull\nverify' "$(zsh_offers 'pennon model ')"
same "zsh: ACTION of tag" $'create\ndelete\nlist\nupdate' "$(zsh_offers 'pennon table tag ')"
same "zsh: ACTION of column" $'add\ndrop\nrename' "$(zsh_offers 'pennon table column ')"
same "zsh: info MODEL" $'shop.lance\nsome folder' "$(zsh_offers 'pennon model info s')"
same "zsh: PICTURE" 'a picture.jpg' "$(zsh_offers 'pennon preprocess a')"
same "zsh: words" '' "$(zsh_offers 'pennon search a')"
echo "zsh: the same"
