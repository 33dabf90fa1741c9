#!/bin/sh
# The check for sqlite-workload.sh: the database is whole and has all rows of one transaction, the one that was promised last or a later one.
set -eu
folder=$(dirname "$0")
promised=${DEVMAPPER_MARK:--1}

answer=$(sqlite3 -bail -cmd ".load $folder/disk-vfs" -cmd ".open file:disk?vfs=disk" :memory: "
  PRAGMA locking_mode=EXCLUSIVE;
  SELECT (SELECT group_concat(integrity_check) FROM pragma_integrity_check), count(*), min(round), max(round) FROM account;" 2>&1) || true

case $answer in
  *"no such table: account"*) round=-1 ;; # The first transaction is not there: right only if nothing was promised.
  *"ok|100|"*) round=${answer##*|} ;;
  *) echo "the database is damaged: $answer"; exit 1 ;;
esac
case $answer in *"ok|100|$round|$round" | *"no such table"*) ;; *) echo "half a transaction: $answer"; exit 1 ;; esac
[ "$round" -ge "$promised" ] || { echo "round $promised was committed, the disk has $round"; exit 1; }
