# Messages, geometry, waiting, names of LVM, udev's commands.
dmsetup create lin -u LVM-abc --table "0 2048 linear $A 0"
dmsetup message lin 0 @stats_list
dmsetup message lin 0 @stats_create - /4
dmsetup message lin 0 @stats_list
dmsetup message lin 0 @stats_print 0
dmsetup message lin 0 @stats_delete 0
dmsetup message lin 0 @stats_nonsense
dmsetup message lin 0 @stats_delete 5
dmsetup setgeometry lin 10 16 8 0
dmsetup setgeometry lin 65536 16 8 0
dmsetup setgeometry lin 10 256 8 0
dmsetup setgeometry lin 10 16 256 0
dmsetup setgeometry lin 0 0 0 0
dmsetup setgeometry lin a b c d
dmsetup setgeometry lin 10 16 8 4096
dmsetup setgeometry lin 10 16 8
dmsetup setgeometry nosuch 10 16 8 0
later rename lin renamed
dmsetup wait lin 0
joined
dmsetup rename renamed lin
dmsetup wait lin 0
dmsetup wait -v lin 0
dmsetup wait lin 1
dmsetup wait --noflush lin 1
dmsetup info -c lin
later remove lin
dmsetup wait lin 2
joined
dmsetup wait nosuch
dmsetup create lin --table "0 2048 linear $A 0"
later remove lin
dmsetup wait lin
joined
dmsetup splitname vg00-lv00
dmsetup splitname vg00-lv00 LVM
dmsetup splitname vg--with-lv--dash-layer
dmsetup splitname vg00-lv00_mlog
dmsetup splitname --noheadings -c -o vg_name,lv_name vg-lv
dmsetup splitname plain
dmsetup splitname plain CRYPT
dmsetup splitname --nameprefixes --noheadings --unquoted vg-lv-real
dmsetup splitname
dmsetup udevflags 0
dmsetup udevflags 0xd4d0000
dmsetup udevflags 1
dmsetup udevflags nonsense
dmsetup udevcookies
dmsetup udevcomplete_all -y
dmsetup udevcomplete nonsense
dmsetup udevreleasecookie
dmsetup mknodes
dmsetup mknodes nosuch
dmsetup create n --table '0 8 zero'
drop /dev/mapper/n
dmsetup mknodes
show ls /dev/mapper
dmsetup mknodes n
dmsetup mknodes -v n
dmsetup --readahead 1024 resume n
dmsetup info n
dmsetup --readahead auto resume n
dmsetup info n
dmsetup --readahead +8 resume n
show blockdev --getra /dev/mapper/n
show blockdev --setra 333 /dev/mapper/n
show cat /sys/block/dm-0/bdi/read_ahead_kb
dmsetup --readahead 7 resume n
dmsetup info -c -o read_ahead n
dmsetup load n --table '0 16 zero'
dmsetup resume n
dmsetup info -c -o read_ahead /dev/dm-0
dmsetup info /dev/dm-99
dmsetup create empty --notable
show ls /sys/block/dm-1/bdi/read_ahead_kb
show cat /dev/dm-1
dmsetup load empty --table '0 8 zero'
dmsetup clear empty
show cat /sys/block/dm-1/bdi/read_ahead_kb
show cat /dev/dm-1
dmsetup info -c -o name,read_ahead
dmsetup suspend n
dmsetup remove n
dmsetup remove_all
