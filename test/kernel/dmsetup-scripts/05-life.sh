# Two tables, suspend and resume, names and events.
dmsetup create lin -u TEST-LIN --table "0 2048 linear $A 8"
dmsetup reload lin --table "0 4096 linear $A 8"
dmsetup info lin
dmsetup info -c lin
dmsetup table lin
dmsetup table --inactive lin
dmsetup status --inactive lin
dmsetup deps --inactive lin
dmsetup info --inactive lin
dmsetup clear lin
dmsetup table --inactive lin
dmsetup info -c lin
dmsetup clear lin
dmsetup load lin --table "0 4096 linear $A 16"
dmsetup suspend lin
dmsetup info lin
dmsetup info -c lin
dmsetup suspend lin
dmsetup resume lin
dmsetup info -c lin
dmsetup table lin
show blockdev --getsz /dev/mapper/lin
dmsetup resume lin
dmsetup suspend --noflush lin
dmsetup resume --noflush lin
dmsetup suspend --nolockfs lin
dmsetup status --noflush lin
dmsetup resume --nolockfs lin
dmsetup resume -v lin
dmsetup suspend -v lin
dmsetup resume lin
dmsetup rename lin lin2
dmsetup info -c lin2
dmsetup info lin
dmsetup rename lin2 --setuuid FOO
dmsetup rename lin2 lin2
dmsetup rename lin2 lin -v
dmsetup create nouuid --notable
dmsetup info nouuid
dmsetup info -c nouuid
dmsetup table nouuid
dmsetup status nouuid
dmsetup deps nouuid
dmsetup measure nouuid
dmsetup ls
dmsetup ls --tree
dmsetup resume nouuid
dmsetup info -c nouuid
dmsetup suspend nouuid
dmsetup info -c nouuid
dmsetup resume nouuid
dmsetup rename nouuid --setuuid NEW-UUID
dmsetup info -c nouuid
dmsetup rename nouuid --setuuid NEWER-UUID
dmsetup rename -u NEW-UUID named
dmsetup ls
dmsetup load named --table '0 8 zero'
dmsetup info -c named
dmsetup resume named
dmsetup info -c named
dmsetup wipe_table named lin
dmsetup table
dmsetup info -c
dmsetup wipe_table named --noflush
dmsetup wipe_table -v named
dmsetup create ro -r --table "0 8 linear $A 0"
dmsetup info ro
dmsetup info -c -o name,attr,tables_loaded,readonly,writable,suspended ro
dmsetup table --concise ro
show blockdev --getro /dev/mapper/ro
dmsetup reload ro --table "0 8 linear $A 8"
dmsetup resume ro
dmsetup info -c ro
dmsetup reload -r ro --table "0 8 linear $A 0"
dmsetup info -c ro
dmsetup resume ro
dmsetup info -c ro
printf '0 16 zero\n' | feed dmsetup reload ro
dmsetup table --inactive ro
dmsetup remove_all
dmsetup ls
