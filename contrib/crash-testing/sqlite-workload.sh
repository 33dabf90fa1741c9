#!/bin/sh
# A workload for `devmapper crashtest`: transactions that each change a hundred rows. After each one it says so, and what was said must survive.
#   sqlite-workload.sh delete|truncate|persist|wal [full|normal|off]
set -eu
folder=$(dirname "$0")
mode=$1
synchronous=${2:-full}

# A mark in the log of writes: exactly here, since the pipe is looked at before the next request to the disk.
say() { printf '.output %s\n.print %s\n.output\n' "$DEVMAPPER_MARKS" "$1"; }

transactions() {
  echo "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=$mode; PRAGMA synchronous=$synchronous;"
  echo "PRAGMA wal_autocheckpoint=20;"
  echo "BEGIN; CREATE TABLE account (id INTEGER PRIMARY KEY, round INTEGER, filler BLOB);"
  echo "INSERT INTO account SELECT value, 0, zeroblob(200) FROM generate_series(1, 100); COMMIT;"
  say 0
  for round in $(seq 1 "${ROUNDS:-10}"); do
    echo "UPDATE account SET round = $round, filler = randomblob(200);"
    say "$round"
  done
}

transactions | sqlite3 -bail -cmd ".load $folder/disk-vfs" -cmd ".open file:disk?vfs=disk" :memory: > /dev/null
