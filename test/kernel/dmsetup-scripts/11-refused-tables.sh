# Tables that are refused: every line by dmsetup or by the mapper.
bad() { dmsetup create bad --table "$*"; }
bad 0 100 nosuch
bad "0 100 linear $A"
bad '0 100 linear'
bad "0 100 linear $A 0 1"
bad '0 100 linear /dev/nosuch 0'
bad '0 100 linear nosuch 0'
bad '0 100 linear / 0'
bad '0 100 linear /dev/null 0'
bad '0 100 linear 99:99 0'
bad '0 100 linear 7 0'
bad "0 100 linear $MAJOR:77 0"
bad "1 100 linear $A 0"
bad "0 999999999 linear $A 0"
bad "0 100 linear $A 8190"
bad "0 100 linear $A x"
bad "0 100 linear $A -1"
bad "0 100 linear $A 1.5"
bad "0 100 linear $A 0x10"
bad "0 100 linear $A 99999999999999999999"
bad "0 0 linear $A 0"
bad '0 0 zero'
bad '0 8 zero
9 8 zero'
bad '0 8 zero
7 8 zero'
bad '0 8 zero
0 8 zero'
bad '0 8 zero 1'
bad '0 8 error 1 2 3'
bad '0 8'
bad 0
bad ''
bad 'x 8 zero'
bad '0 x zero'
bad '-1 8 zero'
bad '0 -8 zero'
bad '0 8 averyveryverylongtargetname'
bad '0 18446744073709551615 zero'
bad '0 18446744073709551616 zero'
bad "0 100 striped 2 3 $A 0 $B 0"
bad "0 100 striped 2 64 $A 0"
bad "0 128 striped 2 64 $A 0 $B"
bad "0 128 striped 0 64 $A 0"
bad "0 128 striped 3 64 $A 0 $B 0"
bad "0 128 striped 2 0 $A 0 $B 0"
bad "0 128 striped x 64 $A 0 $B 0"
bad "0 128 striped 2 x $A 0 $B 0"
bad "0 128 striped 2 64 $A x $B 0"
bad "0 128 striped 2 64 $A 0 /dev/nosuch 0"
bad "0 100 striped 3 32 $A 0 $B 0 $C 0"
bad '0 128 striped'
bad "0 64 unstriped 2 64 2 $A 0"
bad "0 64 unstriped 2 64 0 $A"
bad "0 64 unstriped 2 0 0 $A 0"
bad "0 64 unstriped 0 64 0 $A 0"
bad "0 65 unstriped 2 64 0 $A 0"
bad "0 64 unstriped 2 64 x $A 0"
bad "0 64 switch 2 8 0 $A 0"
bad "0 64 switch 0 8 0 $A 0"
bad "0 64 switch 2 0 0 $A 0 $B 0"
bad "0 64 switch 2 8 1 $A 0 $B 0"
bad "0 64 switch 2 8 0 $A 0 $B"
bad '0 64 switch'
dmsetup ls
dmsetup create self --notable
dmsetup load self --table '0 8 linear /dev/mapper/self 0'
dmsetup load self --table '0 8 linear /dev/mapper/nosuch 0'
dmsetup load self --table '0 8 zero'
dmsetup load self --table '0 8 nosuch'
dmsetup table --inactive self
dmsetup info -c self
dmsetup resume self
dmsetup load self --table "0 8 linear $A -1"
dmsetup table self
dmsetup table --inactive self
dmsetup create on --table '0 9 linear /dev/mapper/self 0'
dmsetup create on --table '0 8 linear /dev/mapper/self 1'
dmsetup create on --table '0 8 linear mapper/self 0'
dmsetup ls
dmsetup remove_all
