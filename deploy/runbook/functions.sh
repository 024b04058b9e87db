# What the walks of these pages use again and again. The shell that reads it needs bash.

# Tries a command again for a minute, and gives up at once where what it waits for has died: waits PROCESS COMMAND…
waits() {
    local process=$1 tries=0
    shift
    until "$@" > /dev/null 2>&1; do
        if ! kill -0 "$process" 2> /dev/null || [ $((tries += 1)) -gt 300 ]; then
            echo "in vain: $*; see the logs beside you" >&2
            return 1
        fi
        sleep 0.2
    done
}

# Whether a command of an owner answers with that field: has OWNER COMMAND FIELD
has() {
    local field
    field=$(signer-agent --data "$1" $2 --print "$3") && [ "$field" != - ]
}

# Whether a case has that status, as an owner's agent sees it: is OWNER CASE STATUS
is() {
    [ "$(signer-agent --data "$1" show "$2" --print status)" = "$3" ]
}

# Whether what an owner is told holds these words: says OWNER WORDS COMMAND…
says() {
    local owner=$1 words=$2
    shift 2
    signer-agent --data "$owner" "$@" 2>&1 | grep -F -q -e "$words"
}

# Whether every owner has seen the case effective on its own node: everywhere OWNER CASE
everywhere() {
    says "$1" "verified on the nodes of" show "$2" && ! says "$1" "not yet verified" show "$2"
}

# Whether a step of a case is in that state, x for done and > for due: step OWNER CASE STEP STATE
step() {
    signer-agent --data "$1" workflow show "$2" | grep -q "^ *\[$4\] *[0-9]* $3 "
}

# An owner signs what the agent offers, as soon as the agent would. At a terminal `signer-agent approve CASE` shows the difference
# and asks; a script names the offer that was looked at: signs OWNER CASE
signs() {
    waits "$COORDINATOR" approves "$1" "$2"
}
approves() {
    local offer
    offer=$(signer-agent --data "$1" show "$2" --print offer) && signer-agent --data "$1" approve "$2" --offer "$offer"
}

# The case and the party in what `propose` answered: case_in FILE, party_in FILE
case_in() {
    sed -n 's/^  case: //p' "$1"
}
party_in() {
    grep -o '[^ ]*::1220[0-9a-f]*' "$1" | tail -n 1
}

# An owner does its part with these words; whether that step is done then: does OWNER CASE STEP WORDS…
does() {
    signer-agent --data "$1" workflow run "$2" "${@:4}" || true
    step "$1" "$2" "$3" x
}

# An owner proposes, again until it is taken: what an agent has seen the coordinator may see a moment later. The answer is printed,
# and stands in proposed.txt: proposes OWNER WORDS…
proposes() {
    waits "$COORDINATOR" proposed "$@"
    cat proposed.txt
}
proposed() {
    signer-agent --data "$1" propose "${@:2}" > proposed.txt
}

# An owner's agent dies in the middle of whatever it does: crashes OWNER
crashes() {
    { kill -9 "$(cat "$1.pid")" && wait "$(cat "$1.pid")"; } 2> /dev/null || true
}
