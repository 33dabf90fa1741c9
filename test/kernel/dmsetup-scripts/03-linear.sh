# One linear device and every question about it.
dmsetup create lin --uuid TEST-LIN --table "0 4096 linear $A 8"
dmsetup table lin
dmsetup status lin
dmsetup info lin
dmsetup info -c lin
dmsetup info -c -o all lin
dmsetup info -v lin
dmsetup info -vv lin
dmsetup ls
dmsetup ls -o devno
dmsetup ls -o blkdevname
dmsetup ls -o devname
dmsetup ls --tree
dmsetup deps lin
dmsetup deps -o devno lin
dmsetup deps -o blkdevname lin
dmsetup deps -o devname lin
dmsetup table --concise lin
dmsetup measure lin
dmsetup table -v lin
dmsetup status -v lin
dmsetup deps -v lin
dmsetup ls -v
dmsetup table --showkeys lin
dmsetup table --inactive lin
dmsetup status --inactive lin
dmsetup status --noflush lin
dmsetup status --target linear lin
dmsetup status --target zero lin
dmsetup table --target linear
dmsetup table --target zero
dmsetup measure --target linear
dmsetup info -u TEST-LIN
dmsetup table -u TEST-LIN
dmsetup table -j "$MAJOR" -m 0
dmsetup info -c -j "$MAJOR" -m 0
dmsetup status /dev/mapper/lin
dmsetup info /dev/dm-0
dmsetup info ./lin
show blockdev --getsz /dev/mapper/lin
show stat -c '%F %A' /dev/mapper/lin
dmsetup remove lin
show stat -c '%F %A' /dev/mapper/lin
dmsetup ls
