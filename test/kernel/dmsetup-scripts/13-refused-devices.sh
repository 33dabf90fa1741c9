# Every command on a device that is not there, or named in a way that cannot be.
dmsetup remove nosuch
dmsetup remove -f nosuch
dmsetup remove --deferred nosuch
dmsetup suspend nosuch
dmsetup resume nosuch
dmsetup load nosuch --table '0 8 zero'
dmsetup reload nosuch --table '0 8 zero'
dmsetup clear nosuch
dmsetup wipe_table nosuch
dmsetup wipe_table -f nosuch
dmsetup rename nosuch other
dmsetup rename nosuch --setuuid other
dmsetup message nosuch 0 foo
dmsetup info nosuch
dmsetup info -c nosuch
dmsetup info -c -o name nosuch
dmsetup table nosuch
dmsetup table --concise nosuch
dmsetup status nosuch
dmsetup deps nosuch
dmsetup measure nosuch
dmsetup wait nosuch 0
dmsetup info -u NOSUCH
dmsetup info -c -u NOSUCH
dmsetup table -u NOSUCH
dmsetup remove -u NOSUCH
dmsetup suspend -u NOSUCH
dmsetup rename -u NOSUCH name
dmsetup info -j "$MAJOR" -m 55
dmsetup info -c -j "$MAJOR" -m 55
dmsetup remove -j "$MAJOR" -m 55
dmsetup table -j 7 -m 300
dmsetup status -j 250 -m 0
dmsetup table -m 5
dmsetup table -j "$MAJOR"
dmsetup table /dev/mapper/nosuch
dmsetup table /dev/nosuch
dmsetup table "$A"
dmsetup remove /dev/null
dmsetup info /dev/mapper/
dmsetup info ''
dmsetup create real -u REAL --table '0 8 zero'
dmsetup create second --table '0 8 zero'
dmsetup info real nosuch
dmsetup table nosuch real
dmsetup status real nosuch real
dmsetup info -c real nosuch second
dmsetup deps real nosuch
dmsetup suspend nosuch real
dmsetup info -c real
dmsetup resume real nosuch
dmsetup info -u REAL real
dmsetup info -u REAL second
dmsetup table -u REAL -j "$MAJOR" -m 1
dmsetup remove -u REAL second
dmsetup rename -u REAL real third
dmsetup info -u real
dmsetup ls
dmsetup remove nosuch second
dmsetup clear nosuch second
dmsetup ls
dmsetup table REAL
dmsetup remove_all
dmsetup remove_all
