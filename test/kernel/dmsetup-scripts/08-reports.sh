# Columns, sorting, selection and trees over a small stack.
dmsetup create base0 -u LVM-one --table "0 2048 linear $A 0"
dmsetup create base1 -u LVM-two --table "0 1024 linear $A 2048
1024 1024 zero"
dmsetup create mid -u CRYPT-x-mid --table "0 4096 striped 2 64 /dev/mapper/base0 0 /dev/mapper/base1 0"
dmsetup create top-vol --table "0 1024 linear /dev/mapper/mid 0
1024 1024 linear $B 0"
dmsetup create zed --table '0 8 zero'
dmsetup ls
dmsetup ls -o devno
dmsetup ls -o blkdevname
dmsetup ls -o devname
dmsetup ls --target linear
dmsetup ls --target zero
dmsetup ls --target linear --exec 'echo dev'
dmsetup ls --exec 'echo dev'
dmsetup ls --tree
dmsetup ls --tree -o ascii
dmsetup ls --tree -o utf
dmsetup ls --tree -o vt100
dmsetup ls --tree -o compact
dmsetup ls --tree -o inverted
dmsetup ls --tree -o inverted,compact
dmsetup ls --tree -o notrunc,ascii
dmsetup ls --tree -o nodevice
dmsetup ls --tree -o device
dmsetup ls --tree -o blkdevname
dmsetup ls --tree -o active
dmsetup ls --tree -o open
dmsetup ls --tree -o rw
dmsetup ls --tree -o uuid
dmsetup ls --tree -o uuid,open,active,rw,compact,ascii
dmsetup ls --tree -o nodevice,blkdevname,inverted
dmsetup ls --tree --target linear
dmsetup ls --tree -o nonsense
dmsetup ls -o nonsense
dmsetup deps
dmsetup deps mid
dmsetup deps -o devname
dmsetup deps -o blkdevname
dmsetup deps base0 base1
dmsetup info
dmsetup info base0 mid
dmsetup info -c
dmsetup info -c base0 mid
dmsetup info -C
dmsetup -C info
dmsetup info -c -o all
dmsetup info -c -o all --noheadings
dmsetup info -c -o name
dmsetup info -c -o name,major,minor,attr,open,segments,events,uuid
dmsetup info -c -o+blkdevname
dmsetup info -c -o -uuid
dmsetup info -c -o name,subsystem,vg_name,lv_name,lv_layer
dmsetup info -c -o name,tables_loaded,suspended,readonly,writable,deferred_remove
dmsetup info -c -o name,read_ahead,blkdevname,device_count,devs_used
dmsetup info -c -o names_using_dev,devnos_using_dev,name
dmsetup info -c -o name -O name
dmsetup info -c -o name -O -name
dmsetup info -c -o name,segments -O segments,-name
dmsetup info -c -o name,uuid -O uuid
dmsetup info -c -o name --sort -minor
dmsetup info -c -o name -O nonsense
dmsetup info -c -o nonsense
dmsetup info -c -o name,nonsense
dmsetup info -c --noheadings --separator : -o name,major,minor,attr,open,segments,events,uuid
dmsetup info -c --separator ';;'
dmsetup info -c --nameprefixes
dmsetup info -c --nameprefixes --noheadings -o name,uuid
dmsetup info -c --nameprefixes --rows -o name,uuid
dmsetup info -c --unquoted --nameprefixes -o name,uuid
dmsetup info -c -S 'name=mid'
dmsetup info -c -o name -S 'name=~^base'
dmsetup info -c -o name -S 'name!~^base'
dmsetup info -c -o name -S 'segments>1'
dmsetup info -c -o name -S 'segments=2 && open>0'
dmsetup info -c -o name -S 'open=0 || name=base0'
dmsetup info -c -o name -S '(open=0 || name=base0) && uuid=~LVM'
dmsetup info -c -o name -S '!(open=0)'
dmsetup info -c -o name,minor -S 'minor>=1 && minor<3' -O -minor
dmsetup info -c -o name -S 'uuid=""'
dmsetup info -c -o name -S 'subsystem=LVM'
dmsetup info -c -o name -S 'tables_loaded=Live'
dmsetup info -c -o name -S 'nonsense=1'
dmsetup info -c -o name -S 'name='
dmsetup info -c -o name -S 'name=mid &&'
dmsetup info -c -o name -S '(name=mid'
dmsetup info -c -o name -S 'segments=x'
dmsetup info -c -o name -S 'name=~['
dmsetup info -c -S 'name=nothing'
dmsetup info -S 'name=mid'
dmsetup ls -S 'name=mid'
dmsetup table -S 'name=mid'
dmsetup status -S 'segments=2'
dmsetup deps -S 'name=mid'
dmsetup remove -S 'name=zed'
dmsetup ls
dmsetup remove_all
dmsetup ls
