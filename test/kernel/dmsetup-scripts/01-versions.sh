# What there is: versions of the library, the driver and the targets.
dmsetup version
dmsetup --version
dmsetup targets
dmsetup target-version linear
dmsetup target-version linear striped error zero unstriped switch
dmsetup target-version nosuch
dmsetup target-version linear nosuch zero
dmsetup target-version
dmsetup help
dmsetup -h
dmsetup help -c
dmsetup info --help
dmsetup info -c -o help
dmsetup info -c -S help
dmsetup
