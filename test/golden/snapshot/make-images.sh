# Makes COW devices with the kernel's snapshot target: record-images.ts runs this in the VM and keeps what it leaves in /share.
# /dev/vda: the origin, 8 MiB of one letter for each 4 KiB (`A` for chunk 0, `B` for chunk 1 ...); /dev/vdb: what COW devices are cut from.
set -e
cow() { # SECTORS: zeroed, as lvcreate leaves it
  dd if=/dev/zero of=/dev/vdb bs=1M count=4 conv=fsync 2> /dev/null
  dmsetup create cow --table "0 $1 linear /dev/vdb 0"
}
snapshot() { dmsetup create snap --table "0 16384 snapshot /dev/mapper/origin /dev/mapper/cow $1"; }
# Writes 4 KiB of the letter `z` to each of the chunks, one after the other.
write() { for chunk; do dd if=/dev/zero bs=4k count=1 2> /dev/null | tr '\0' z | dd of=/dev/mapper/snap bs=4k seek="$chunk" oflag=direct 2> /dev/null; done; }
keep() { # NAME: the status, then the bytes
  dmsetup status snap 2> /dev/null | cut -d ' ' -f 4- > "/share/$1.status" || true
  dmsetup remove snap 2> /dev/null || true
  dd if=/dev/mapper/cow of="/share/$1.img" bs=64k iflag=direct 2> /dev/null
  dmsetup remove cow
}
dmsetup create origin --table "0 16384 linear /dev/vda 0"

cow 256; snapshot 'P 8'; keep blank

cow 256; snapshot 'P 8'; write 5 6 7 100 3; keep few

cow 512; snapshot 'PO 16'; write 9 8 200; keep chunk-16

# More than an area: 256 exceptions, a chunk that is the next area, and more.
cow 2600; snapshot 'P 8'
tr '\0' z < /dev/zero | dd of=/dev/mapper/snap bs=4k count=300 iflag=fullblock oflag=direct 2> /dev/null
keep two-areas

# Full: dropped.
cow 24; snapshot 'P 8'; write 1; write 2 || true; keep dropped

# Chunk 3 of the origin cannot be written: merging stops there.
cow 256; snapshot 'P 8'; write 5 6 7 100 3 50 51
dmsetup remove snap
dmsetup suspend origin
printf '0 24 linear /dev/vda 0\n24 8 error\n32 16352 linear /dev/vda 32\n' | dmsetup load origin
dmsetup resume origin
dmsetup create snap --table '0 16384 snapshot-merge /dev/mapper/origin /dev/mapper/cow P 8'
for wait in 1 2 3 4 5 6 7 8 9 10; do dmsetup status snap | grep -q failed && break; sleep 0.5; done
dmsetup status snap | grep failed
keep half-merged
