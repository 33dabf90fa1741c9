# Runs scripts of dmsetup commands and writes each command with its standard output (as it is), its standard error (`! `) and
# its status (`= `). To be run by bash with: DM, the program; A, B, C, block devices; MAJOR, of mapped devices; DEVICES, the
# folder of their nodes; then the scripts.
export LC_ALL=C DM_DISABLE_UDEV=1
scratch=$(mktemp -d)
cd "$scratch" || exit 1
errors=$scratch/.errors

finish_command() {
  local status=$? line
  while IFS= read -r line || [ -n "$line" ]; do printf '! %s\n' "$line"; done <"$errors"
  printf '= %s\n' "$status"
}

dmsetup() {
  printf '$ dmsetup%s\n' "${*:+ $*}"
  case $1 in
    wait) timeout 5 $DM "$@" 2>"$errors" </dev/null ;;
    *) $DM "$@" 2>"$errors" </dev/null ;;
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

# Any other program.
show() {
  printf '$ %s\n' "$*"
  "$@" 2>"$errors" </dev/null
  finish_command
}

# Opens a device until `release`.
hold() {
  printf '$ hold %s\n' "$1"
  exec 9<"$DEVICES/$1"
}
release() {
  printf '$ release\n'
  exec 9<&-
}

# A command half a second from now, while the next ones run.
later() {
  printf '$ later dmsetup %s\n' "$*"
  (sleep 0.5; exec $DM "$@") >/dev/null 2>&1 </dev/null &
}
joined() {
  wait
  printf '$ joined\n'
}

# A deferred removal comes after the close that asked for it.
settle() { sleep 0.3; }

drop() {
  printf '$ drop %s\n' "$1"
  rm "$1"
}

for script; do
  printf '## %s\n' "${script##*/}"
  . "$script"
  exec 9<&-
  $DM --manglename none remove_all --force >/dev/null 2>&1 </dev/null
done
cd / && rm -rf "$scratch"
