# Devices of several rows and of every simple target.
printf '0 1024 linear %s 0\n1024 1024 error\n2048 1024 zero\n3072 1024 striped 2 64 %s 0 %s 0\n' "$A" "$B" "$C" > rows
dmsetup create multi rows
dmsetup table multi
dmsetup status multi
dmsetup deps multi
dmsetup deps -o blkdevname multi
dmsetup info multi
dmsetup ls --target striped
dmsetup ls --target error
dmsetup ls --target mirror
dmsetup ls --tree
dmsetup table --concise multi
dmsetup table --target striped multi
dmsetup status --target zero multi
dmsetup measure multi
dmsetup wipe_table multi
dmsetup table multi
dmsetup status multi
dmsetup remove multi
dmsetup create err --table '0 2048 error'
dmsetup table err
dmsetup status err
dmsetup create z --table '0 2048 zero'
dmsetup table z
dmsetup status z
dmsetup deps z
dmsetup deps
dmsetup table
dmsetup status
dmsetup info
dmsetup measure z
dmsetup measure
dmsetup remove err z
dmsetup create st --table "0 4096 striped 2 64 $B 0 $C 0"
dmsetup table st
dmsetup status st
dmsetup measure st
dmsetup create un --table "0 2048 unstriped 2 64 1 /dev/mapper/st 0"
dmsetup table un
dmsetup status un
dmsetup deps un
dmsetup deps -o devname un
dmsetup deps -o blkdevname un
dmsetup measure un
dmsetup info -c
dmsetup info -c -o name,blkdevs_used,names_using_dev
dmsetup info -c -o name,devs_used,blkdevname,blkdevnames_using_dev,device_count,devnos_used,devnos_using_dev,blkdevnames_used,names_using_dev
dmsetup ls --tree
dmsetup remove st
dmsetup remove un
dmsetup remove st
dmsetup create s --table "0 4096 switch 2 128 0 $A 0 $B 0"
dmsetup table s
dmsetup status s
dmsetup message s 0 set_region_mappings 0:1 :0 R2,10
dmsetup message s 0 set_region_mappings 5000:1
dmsetup message s 0 nonsense
dmsetup table s
dmsetup measure s
dmsetup remove s
