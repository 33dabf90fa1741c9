# Devices that somebody has open or maps.
dmsetup create lin --uuid TEST-LIN --table "0 2048 linear $A 8"
hold lin
dmsetup info lin
dmsetup info -c --noheadings -o name,open lin
dmsetup info -c --noopencount -o name,open lin
dmsetup info --noopencount lin
dmsetup remove lin
dmsetup remove --force lin
dmsetup table lin
dmsetup remove_all
dmsetup info -c lin
dmsetup remove --deferred lin
dmsetup info lin
dmsetup info -c lin
dmsetup info -c -o name,deferred_remove,attr lin
dmsetup message lin 0 @cancel_deferred_remove
dmsetup info lin
dmsetup message lin 0 @cancel_deferred_remove x
dmsetup remove --deferred lin
dmsetup rename lin other
dmsetup create lin --table '0 8 zero'
dmsetup remove --deferred other
release
settle
dmsetup ls
dmsetup message lin 0 @cancel_deferred_remove
dmsetup create top --table '0 8 linear /dev/mapper/lin 0'
dmsetup info -c lin
dmsetup remove lin
dmsetup remove -f lin
dmsetup table lin
dmsetup remove --deferred lin
dmsetup info -c
dmsetup remove top
dmsetup ls
dmsetup create a --table '0 8 zero'
dmsetup create b --table '0 8 linear /dev/mapper/a 0'
dmsetup create c --table '0 8 linear /dev/mapper/b 0'
dmsetup ls --tree
dmsetup remove a b c
dmsetup ls
dmsetup remove a b
dmsetup remove c b a
dmsetup create a --table '0 8 zero'
dmsetup create b --table '0 8 linear /dev/mapper/a 0'
dmsetup remove_all --deferred
dmsetup info -c
dmsetup create keep --table '0 8 zero'
hold keep
dmsetup remove_all --deferred
dmsetup info -c
release
settle
dmsetup ls
dmsetup create keep --table '0 8 zero'
hold keep
dmsetup remove_all -f
dmsetup table keep
release
settle
dmsetup remove_all -f
dmsetup ls
dmsetup create keep --table '0 8 zero'
hold keep
dmsetup remove --retry --deferred keep
release
settle
dmsetup ls
