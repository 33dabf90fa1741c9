# Does the steps of snapshot-cases.ts in the kernel's machine, one line of standard input each, and prints `a|ANSWER` for each.
# One process that asks device-mapper itself where it can: in an emulated machine, starting a program takes up to a second.
use strict;
use warnings;
use Digest::MD5;
use Fcntl;
use IO::Handle;

use constant { DM_TABLE_STATUS => 0xC138FD0C, BLKDISCARD => 0x1277, IOCTL_BYTES => 16384, POLLS => 1200 };

$| = 1;
open my $written, '<:raw', '/share/written' or die;
read $written, my $written_bytes, -s $written;
sysopen my $control, '/dev/mapper/control', O_RDWR or die "control: $!";

sub path { "/dev/mapper/$_[0]" }
sub run { system("$_[0] > /dev/null 2>&1") == 0 ? 'ok' : 'EIO' }
sub must { system($_[0]) == 0 or print "failed: $_[0]\n" }

# The status of a snapshot or merge; undef for all others.
sub status {
  my $data = pack 'L10 Q a128 a136 x' . (IOCTL_BYTES - 312), 4, 0, 0, IOCTL_BYTES, 312, 0, 0, 0, 0, 0, 0, $_[0], '';
  ioctl $control, DM_TABLE_STATUS, $data or return undef;
  my $type = unpack 'Z16', substr $data, 312 + 24, 16;
  return $type =~ /^snapshot(-merge)?$/ ? unpack 'Z*', substr $data, 312 + 40 : undef;
}

sub say_ {
  my $line = "a|$_[0]";
  for my $name (qw(disk s t)) { my $status = status($name); $line .= " $name $status" if defined $status }
  print "$line\n";
}

sub write_ {
  my ($device, $sector, $count, $from) = @_;
  sysopen my $file, path($device), O_WRONLY or return 'EIO';
  sysseek $file, $sector * 512, 0;
  my $length = syswrite $file, $written_bytes, $count * 512, $from * 512;
  my $is_done = defined $length && $length == $count * 512 && $file->sync;
  return close($file) && $is_done ? 'ok' : 'EIO';
}

sub discard {
  my ($device, $sector, $count) = @_;
  sysopen my $file, path($device), O_WRONLY or return 'EIO';
  return ioctl($file, BLKDISCARD, pack 'QQ', $sector * 512, $count * 512) ? 'ok' : 'EIO';
}

sub digest {
  open my $file, '<:raw', path($_[0]) or return 'EIO';
  my $md5 = Digest::MD5->new;
  while (1) {
    my $length = sysread $file, my $bytes, 1 << 20;
    return 'EIO' unless defined $length;
    return $md5->hexdigest unless $length;
    $md5->add($bytes);
  }
}

sub until_ { for (1 .. POLLS) { return 'ok' if $_[0]->(status($_[1]) // ''); select undef, undef, undef, 0.02 } return 'never' }

my %does = (
  start => sub { my ($name, @table) = @_; say_(run("dmsetup create $name --table '@table'")) },
  load => sub { my ($name, @table) = @_; print 'a|', run("dmsetup load $name --table '@table'"), "\n" },
  suspend => sub { print 'a|', run("dmsetup suspend $_[0]"), "\n" },
  resume => sub { print 'a|', run("dmsetup resume $_[0]"), "\n" },
  remove => sub { print 'a|', run("dmsetup remove $_[0]"), "\n" },
  write => sub { say_(write_(@_)) },
  discard => sub { say_(discard(@_)) },
  digest => sub { say_(digest(@_)) },
  status => sub { say_('ok') },
  hold => sub { my ($what, @words) = @_; unless (fork) { write_(@words); exit } print "a|held\n" },
  below => sub { my $limit = $_[1]; print 'a|', until_(sub { $_[0] =~ m{^(\d+)/} && $1 < $limit }, $_[0]), "\n" },
  merged => sub { say_(until_(sub { $_[0] =~ m{^(\d+)/\d+ (\d+)} && $1 == $2 }, $_[0])) },
  # The machine's own: disks from a folder, to a folder while they are in use, and the end of a case.
  open => sub {
    must("cp $_[0]/O $_[0]/C $_[0]/D /dev/shm");
    my $at = 0;
    for my $disk (qw(O C D)) { must("losetup /dev/loop$at /dev/shm/$disk; ln -sf loop$at /dev/loop-$disk"); $at++ }
  },
  save => sub { must("mkdir $_[0]; cp /dev/shm/D /dev/shm/C /dev/shm/O $_[0]") },
  close => sub {
    1 while wait > 0;
    for my $name (grep { -e path($_) } qw(s t disk real)) {
      run("dmsetup resume $name") if $name eq 'disk';
      must("dmsetup remove $name > /dev/null");
    }
    must('losetup -d /dev/loop0 /dev/loop1 /dev/loop2');
  },
  print => sub { print "@_\n" },
);

while (my $line = <STDIN>) {
  my ($first, @words) = split ' ', $line;
  $does{$first}->(@words);
}
