#!/usr/bin/env bash
# tools/dev: help fits one screen and lists every verb, a wrong verb gets one line and status 2, all from any folder.
set -euo pipefail
dev=$1/tools/dev
cd /

fail() { echo "$*"; exit 1; }

help=$("$dev" help)
(( $(wc -l <<<"$help") <= 24 )) || fail "help does not fit one screen"
for verb in setup build demo test check sanitize; do
  grep -q "^  $verb" <<<"$help" || fail "help does not list $verb"
done

status=0
message=$("$dev" chekc 2>&1) || status=$?
[[ $status == 2 ]] || fail "a wrong verb ends with status $status"
[[ $(wc -l <<<"$message") == 1 && $message == *"'check'"* ]] || fail "a wrong verb says: $message"

status=0
message=$("$dev" sanitize everything 2>&1) || status=$?
[[ $status == 2 && $message == *"address, undefined, thread or address,undefined"* ]] || fail "a wrong sanitizer says: $message"

status=0
message=$("$dev" setup --with-nvrct 2>&1) || status=$?
[[ $status == 2 && $message == *"--with-nvrtc, not '--with-nvrct'"* ]] || fail "a wrong option of setup says: $message"

"$dev" setup || fail "setup fails where everything is installed"
echo "tools/dev does what its help says"
