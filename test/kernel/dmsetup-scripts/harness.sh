# Runs scripts of dmsetup commands and writes each command (`$ `) with its standard output (as it is), its standard error (`! `)
# and its status (`= `). To be run by bash with the scripts as arguments, and in the environment:
#   DM       the program: dmsetup, or ours
#   SERVER   where starting DM is slow: a program that runs commands without (see cli-server.ts)
#   A, B, C  block devices of 4, 4 and 2 MiB;  MAJOR  of mapped devices
#   DEVICES  the folder in which devices can be opened
#   NODES    no: DM makes no nodes, and what looks at them is left out
export LC_ALL=C DM_DISABLE_UDEV=1
scratch=$(mktemp -d)
mkdir "$scratch/work"
cd "$scratch/work" || exit 1
output=$scratch/output errors=$scratch/errors

if [ -n "${SERVER-}" ]; then
  coproc CLI { exec $SERVER "$output" "$errors"; }
fi

# Its standard output and `$errors`; the status.
run() {
  local status
  if [ -z "${SERVER-}" ]; then
    $DM "$@" 2>"$errors" </dev/null
    return
  fi
  printf '%s\0' $# "$@" >&"${CLI[1]}"
  read -r status <&"${CLI[0]}"
  cat "$output"
  return "$status"
}

finish_command() {
  local status=$? line
  while IFS= read -r line || [ -n "$line" ]; do printf '! %s\n' "$line"; done <"$errors"
  printf '= %s\n' "$status"
}

dmsetup() {
  printf '$ dmsetup%s\n' "${*:+ $*}"
  case $1 in
    wait) timeout 5 $DM "$@" 2>"$errors" </dev/null ;;
    *) run "$@" ;;
  esac
  finish_command
}

# `... | feed dmsetup WORD...`: with standard input.
feed() {
  shift
  printf '$ dmsetup%s <input\n' "${*:+ $*}"
  $DM "$@" 2>"$errors"
  finish_command
}

# To bring one side to where the other is: not compared.
quiet() {
  run "$@" >/dev/null 2>&1
}

# Another program, at the nodes.
show() {
  [ "${NODES-}" != no ] || return
  printf '$ %s\n' "$*"
  "$@" 2>"$errors" </dev/null
  finish_command
}
drop() {
  [ "${NODES-}" != no ] || return
  rm "$1"
}

# Opens a device until `release`.
hold() {
  exec 9<"$DEVICES/$1"
}
release() {
  exec 9<&-
}
# A deferred removal comes after the close that asked for it.
settle() { sleep 0.3; }

# A command half a second from now, while the next ones run.
later() {
  (sleep 0.5; exec $DM "$@") >/dev/null 2>&1 </dev/null &
  later=$!
}
joined() {
  wait "$later"
}

for script; do
  printf '## %s\n' "${script##*/}"
  . "$script"
  exec 9<&-
  run --manglename none remove_all --force >/dev/null 2>&1
done
cd / && rm -rf "$scratch"
