# Devices in one line of text, and tables from everywhere.
dmsetup create --concise 'a,,,,0 8 zero'
dmsetup create --concise "dev1,U1,,rw,0 100 linear $A 1,100 100 error;dev2,,7,ro,0 1 error"
dmsetup table --concise
dmsetup table --concise dev1
dmsetup table --concise dev1 a
dmsetup info -c
dmsetup create --concise 'x,,,,0 8 zero;y'
dmsetup create --concise 'y,,,wo,0 8 zero'
dmsetup create --concise ''
dmsetup create --concise 'x,,,,0 8 zero;y,,,,0 8 nosuch;w,,,,0 8 zero'
dmsetup ls
dmsetup create --concise 'e\,scaped\;,,,,0 8 zero'
dmsetup table --concise 'e,scaped;'
dmsetup remove 'e,scaped;'
dmsetup create --concise 'm1,,3,,0 8 zero; m2,,,, 0 8 zero'
dmsetup create --concise 'm3,,x,,0 8 zero'
dmsetup create --concise 'm4,,,,'
dmsetup create --concise 'm5,,,,0 8 zero' extra
dmsetup create --concise 'm6,,,,0 8 zero' --table '0 8 zero'
dmsetup create --concise 'm7,,,,0 8 zero' --notable
dmsetup create --concise 'm8,,,,0 8 zero' -u UU
dmsetup create --concise 'm9,,,,0 8 zero' -m 3
dmsetup table
dmsetup remove_all
printf 'p1,,,,0 8 zero;p2,,,,0 8 error' | feed dmsetup create --concise
printf '0 8 zero\n' | feed dmsetup create s1
printf '# a comment\n\n0 8 zero\n  8 8 error  \n' | feed dmsetup create s2
printf '0 8 zero' > table
dmsetup create s3 table
dmsetup create s4 --table table
quiet remove s4
dmsetup create s5 nosuchfile
dmsetup create s6 < /dev/null
printf '0 8 zero\n8 8 zero\n' | feed dmsetup load s1
dmsetup table --inactive s1
dmsetup reload s1 table
dmsetup table --inactive s1
dmsetup table --concise
dmsetup create s7 --table '0x0 0x10 zero'
dmsetup create s8 --table '00 010 zero'
dmsetup create s9 --table ' 0  8   zero  '
dmsetup create s10 --table '0 8 zero
8 8 error'
dmsetup create s11 --addnodeonresume --table '0 8 zero'
dmsetup create s12 --addnodeoncreate --table '0 8 zero'
dmsetup create s13 --addnodeoncreate --notable
dmsetup create s14 --addnodeonresume --notable
show ls /dev/mapper
dmsetup create s15 -m 40 --table '0 8 zero'
dmsetup create s16 -j "$MAJOR" -m 41 --table '0 8 zero'
dmsetup create s17 -m 41 --table '0 8 zero'
dmsetup create s18 --readahead 512 --table '0 8 zero'
dmsetup create s19 --readahead none --table '0 8 zero'
dmsetup create s20 -M 640 -U 1 -G 2 --table '0 8 zero'
show stat -c '%a %u %g' /dev/mapper/s20
dmsetup create -v s21 --table '0 8 zero'
dmsetup create s22 -y --table '0 8 zero'
dmsetup create s23 --noudevsync --noudevrules --verifyudev --checks --table '0 8 zero'
dmsetup info -c -o name,minor,read_ahead -O minor
dmsetup table
dmsetup remove_all
show ls /dev/mapper
