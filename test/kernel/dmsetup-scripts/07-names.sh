# Names and uuids with odd characters, in every mangling mode.
dmsetup create 'a b/c' --table '0 8 zero'
dmsetup create 'a b' --table '0 8 zero'
dmsetup ls
dmsetup info -c -o name,mangled_name,unmangled_name
dmsetup info -c -o name,mangled_uuid,unmangled_uuid
dmsetup info 'a b'
dmsetup info 'a\x20b'
dmsetup --manglename hex info 'a\x20b'
dmsetup --manglename none info 'a\x20b'
dmsetup --manglename none info 'a b'
dmsetup --manglename hex ls
dmsetup --manglename none ls
dmsetup --manglename auto ls
dmsetup table --concise
show ls /dev/mapper
dmsetup remove 'a b'
dmsetup --manglename none create 'x y' --table '0 8 zero'
dmsetup ls
dmsetup info 'x y'
dmsetup --manglename none info 'x y'
dmsetup mangle 'x y'
dmsetup --manglename hex mangle 'x y'
dmsetup --manglename none mangle 'x\x20y'
dmsetup mangle
dmsetup --manglename none ls
dmsetup --manglename none remove 'x\x20y'
dmsetup --manglename none remove 'x y'
dmsetup --manglename hex create 'h\x20h%' --table '0 8 zero'
dmsetup --manglename none ls
dmsetup ls
dmsetup remove_all
dmsetup --manglename none remove_all
dmsetup create 'dash-und_er.dot+plus:colon#hash@at=eq' --table '0 8 zero'
dmsetup info -c -o name,mangled_name
dmsetup remove 'dash-und_er.dot+plus:colon#hash@at=eq'
dmsetup create 'q"q' -u 'U U' --table '0 8 zero'
dmsetup info -c -o name,uuid,mangled_uuid,unmangled_uuid
dmsetup info -u 'U U'
dmsetup info -u 'U\x20U'
dmsetup rename 'q"q' 'new name'
dmsetup info -c -o name,mangled_name
dmsetup rename 'new name' --setuuid 'other one'
dmsetup remove -u 'U U'
dmsetup create 'ä€' --table '0 8 zero'
dmsetup ls
dmsetup info -c -o name,mangled_name,unmangled_name
dmsetup remove 'ä€'
dmsetup create 'mix \x21' --table '0 8 zero'
dmsetup create 'back\slash' --table '0 8 zero'
dmsetup ls
dmsetup create '\x2f' --table '0 8 zero'
dmsetup create '\x41' --table '0 8 zero'
dmsetup create '\x4' --table '0 8 zero'
dmsetup create '\xzz' --table '0 8 zero'
dmsetup create '.' --table '0 8 zero'
dmsetup create '..' --table '0 8 zero'
dmsetup create control --table '0 8 zero'
dmsetup create '-minus' --table '0 8 zero'
dmsetup create -- '-minus' --table '0 8 zero'
dmsetup ls
dmsetup --manglename bad ls
dmsetup remove_all
dmsetup create 'name123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123' --table '0 8 zero'
dmsetup create 'name12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678' --table '0 8 zero'
dmsetup ls
dmsetup info -c -o name,uuid
dmsetup remove_all
