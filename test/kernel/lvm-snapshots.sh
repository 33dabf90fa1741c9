# Snapshots as LVM2 makes, grows, drops, removes and merges them: what it says of each command is its exit status, then come the devices as they stand
# and what is on them. bash lvm-snapshots.sh DISK, a node of 64 MiB in /dev/mapper.
DISK=$1
# LVM looks at nothing but the disk, and remembers nothing.
CONFIG="devices { filter = [ \"a|^$DISK\$|\", \"r|.*|\" ] use_devicesfile = 0 } backup { backup = 0 archive = 0 }
  activation { monitoring = 0 udev_sync = 0 udev_rules = 0 }"
export LVM_SUPPRESS_FD_WARNINGS=1
lvm() {
  local status=0
  command lvm "$@" --config "$CONFIG" > /tmp/lvm-said-$$ 2>&1 || status=$?
  echo "$* -> $status" | sed "s|$DISK|DISK|"
  [ $status = 0 ] || cat /tmp/lvm-said-$$
  rm /tmp/lvm-said-$$
}
# `fill VOLUME LETTER CHUNK COUNT` writes; `letters VOLUME...` prints the letters that chunks begin with, in runs: 10o 20n. In Perl: quick in a slow machine.
fill() {
  perl -MIO::Handle -e 'my ($path, $letter, $from, $count) = @ARGV;
    open my $file, "+<:raw", $path or die; sysseek $file, $from * 4096, 0;
    syswrite($file, $letter x ($count * 4096)) == $count * 4096 or die; $file->sync or die' /dev/mapper/group-$1 $2 $3 $4
}
letters() {
  perl -e 'for my $volume (@ARGV) {
    open my $file, "<:raw", "/dev/mapper/group-$volume" or die; my $all = "";
    while (sysread $file, my $chunk, 4096) { $all .= substr $chunk, 0, 1 }
    print "$volume:"; print " ", length $&, $1 while $all =~ /(.)\1*/g; print "\n" }' "$@"
}
# Of the numbers only those of devices below, counted from the disk's.
devices() { dmsetup table | grep '^group' | sort | sed -E 's/\b(252|253|254):/dm:/g'; }
merged() { for _ in $(seq 100); do dmsetup table group-disk | grep -q linear && return; sleep 0.1; done; echo 'not merged'; }

lvm pvcreate -q $DISK
lvm vgcreate -q group $DISK
lvm lvcreate -qq -y -n disk -L 8M group
fill disk o 0 2048

lvm lvcreate -qq -y -s -n draft -c 4k -L 4M group/disk
devices
fill disk n 0 20
fill draft s 10 30
letters disk draft
dmsetup status group-draft
lvm lvextend -qq -L 8M group/draft
letters draft
dmsetup status group-draft
lvm lvconvert -qq --merge -i 1 group/draft
merged
letters disk
devices

fill disk o 0 2048
lvm lvcreate -qq -y -s -n one -c 4k -L 4M group/disk
lvm lvcreate -qq -y -s -n two -c 16k -L 8M group/disk
fill disk n 0 500
letters one two
fill disk m 500 1000
dmsetup status group-one
letters one two
lvm lvremove -qq -y group/one
letters two disk
fill two t 3 9

# The origin is in use: the merge waits for its next activation.
exec 3< /dev/mapper/group-disk
lvm lvconvert -y --merge group/two
exec 3<&-
devices
lvm vgchange -an group
devices
lvm vgchange -ay --poll n group
devices
letters disk
lvm vgchange -an group
lvm vgchange -ay -qq group
merged
letters disk
lvm vgchange -an group
lvm vgchange -ay group
devices
lvm vgremove -qq -y group
devices
