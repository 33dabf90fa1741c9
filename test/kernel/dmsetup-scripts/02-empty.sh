# Questions to a mapper without devices.
dmsetup ls
dmsetup ls --tree
dmsetup ls --target linear
dmsetup ls -o blkdevname
dmsetup info
dmsetup info -c
dmsetup info -C -o name --noheadings
dmsetup table
dmsetup table --concise
dmsetup status
dmsetup deps
dmsetup measure
dmsetup mknodes
dmsetup mangle
dmsetup remove_all
dmsetup remove_all --deferred
dmsetup udevcookies
