#!/bin/sh
# A signer for the backend `command`: keys are PEM files in one folder, and openssl signs.
#
#   [backends.office]
#   kind = "command"
#   program = "/usr/local/lib/countersign/openssl-signer.sh"
#   arguments = ["/etc/countersign/keys"]
#
# The reference of a key is its file's name without `.pem`. It asks nobody: take it as a beginning of a signer that does.
# `external-command.md` beside this file says what is read and written here.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 077
folder=$1

request=$(cat)
# The value of a text field of the request. `transaction`, in which words of others stand, comes last: the first is ours.
field() { printf %s "$request" | grep -o "\"$1\":\"[^\"\\\\]*\"" | head -n 1 | cut -d '"' -f 4; }
id=$(field id)
reference=$(field reference)
answer() { printf '{"id":"%s",%s}\n' "$id" "$1"; exit 0; }
refuse() { answer "\"status\":\"refused\",\"reason\":\"$1\""; }
hex() { od -An -v -tx1 | tr -d ' \n'; }

action=$(field action)
[ "$action" != probe ] || answer "\"status\":\"ready\",\"note\":\"$(openssl version)\""
case "$reference" in
    '' | *[!a-zA-Z0-9_-]*) refuse 'a reference has letters, digits, - and _' ;;
esac
key="$folder/$reference.pem"
[ -f "$key" ] || refuse 'there is no such key'

case "$action" in
    describe)
        public=$(openssl pkey -in "$key" -pubout -outform DER | hex)
        answer "\"status\":\"described\",\"public_key\":\"$public\""
        ;;
    sign)
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        field message | tr a-f A-F | basenc --base16 -d > "$work/message"
        case "$(field algorithm)" in
            ED25519) set -- pkeyutl -sign -rawin -inkey "$key" -in "$work/message" ;;
            EC_DSA_SHA_256) set -- dgst -sha256 -sign "$key" "$work/message" ;;
            EC_DSA_SHA_384) set -- dgst -sha384 -sign "$key" "$work/message" ;;
            *) refuse 'this algorithm is not known here' ;;
        esac
        openssl "$@" > "$work/signature"
        answer "\"status\":\"signed\",\"signature\":\"$(hex < "$work/signature")\""
        ;;
    *) refuse 'this action is not known here' ;;
esac
