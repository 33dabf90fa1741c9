# Commands, options, names and numbers that are refused.
dmsetup nosuchcommand
dmsetup --nosuchoption
dmsetup ls --nosuchoption
dmsetup create
dmsetup create one two three --table '0 8 zero'
dmsetup create x --table
dmsetup create x --table '0 8 zero' --notable
dmsetup create x file --table '0 8 zero'
dmsetup create x --notable file
dmsetup create x -u
dmsetup create '' --table '0 8 zero'
dmsetup create /dev/mapper/x --table '0 8 zero'
dmsetup create a/b --table '0 8 zero'
dmsetup ls
dmsetup remove x
dmsetup create x -m nonsense --table '0 8 zero'
dmsetup create x -m -1 --table '0 8 zero'
dmsetup create x -m 1048576 --table '0 8 zero'
dmsetup create x -m 99999999999 --table '0 8 zero'
dmsetup create x -j nonsense --table '0 8 zero'
dmsetup create x -j 7 -m 300 --table '0 8 zero'
dmsetup remove_all
dmsetup create x -j 5 --table '0 8 zero'
dmsetup remove_all
dmsetup create x --readahead nonsense --table '0 8 zero'
dmsetup create x -M 999 --table '0 8 zero'
dmsetup create x -M nonsense --table '0 8 zero'
dmsetup create x -U nonsense --table '0 8 zero'
dmsetup create x -G nonsense --table '0 8 zero'
dmsetup create x --addnodeonresume --addnodeoncreate --table '0 8 zero'
dmsetup create x --udevcookie nonsense --table '0 8 zero'
dmsetup remove_all
dmsetup create x -u uuid23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789 --table '0 8 zero'
dmsetup create x -u uuid2345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678 --table '0 8 zero'
dmsetup info -c -o uuid
dmsetup remove_all
dmsetup create x -u u/u --table '0 8 zero'
dmsetup remove_all
dmsetup create x -u '' --table '0 8 zero'
dmsetup info -c
dmsetup remove_all
dmsetup create x -u ONE --table '0 8 zero'
dmsetup create x -u TWO --table '0 8 zero'
dmsetup create y -u ONE --table '0 8 zero'
dmsetup create x --notable
dmsetup create y --table '0 8 zero'
dmsetup rename x y
dmsetup rename y x
dmsetup rename x
dmsetup rename
dmsetup rename x a b
dmsetup rename x ''
dmsetup rename x a/b
dmsetup rename x --setuuid
dmsetup rename x --setuuid ''
dmsetup rename y --setuuid ONE
dmsetup rename y --setuuid a/b
dmsetup rename x name12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678
dmsetup rename x /dev/mapper/z
dmsetup ls
dmsetup message x
dmsetup message x 0
dmsetup message x nonsense foo
dmsetup message x -1 foo
dmsetup message x 0 foo
dmsetup message x 8 foo
dmsetup message x 9999 foo bar
dmsetup message x 0 @nonsense
dmsetup message x 0 ''
dmsetup message x 0 '  '
dmsetup remove
dmsetup remove x nosuch
dmsetup remove --nosuch y
dmsetup suspend
dmsetup resume
dmsetup clear
dmsetup load
dmsetup reload
dmsetup load y
dmsetup load y file extra
dmsetup load y --table
dmsetup wait
dmsetup wait y 0 extra
dmsetup setgeometry
dmsetup mangle nosuch
dmsetup udevcomplete
dmsetup udevflags
dmsetup udevcreatecookie extra
dmsetup udevcomplete_all nonsense
dmsetup version extra
dmsetup targets extra
dmsetup ls extra
dmsetup remove_all extra
dmsetup create one two
dmsetup info -c -o
dmsetup info -c --separator
dmsetup table --target
dmsetup -c ls
dmsetup info -c --rows
dmsetup help extra
dmsetup clear y extra
dmsetup rem y
dmsetup --readahead
dmsetup remove_all
dmsetup ls
