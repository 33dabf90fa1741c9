# Does the steps of device-job.ts in the kernel's machine, one line of standard input each, and prints `a|ANSWER` for each.
# One process that asks device-mapper itself: in an emulated machine, starting a program takes up to a second.
# Every case has devices of its own, and none is removed: when all is done the machine is switched off as it stands.
use strict;
use warnings;
use Errno;
use Fcntl qw(:DEFAULT O_DIRECT O_DSYNC);
use IO::Handle;
use POSIX qw(_exit);

# Of struct dm_ioctl, dm_target_spec and the ioctls' numbers: linux/dm-ioctl.h.
use constant { CREATE => 3, REMOVE => 4, SUSPEND => 6, STATUS => 7, LOAD => 9, TABLE_STATUS => 12, MESSAGE => 14 };
use constant { IS_READONLY => 1, IS_SUSPEND => 2, IS_TABLE => 16, HEADER_BYTES => 312, SPEC_BYTES => 40, IOCTL_BYTES => 16384 };
use constant { LOG_SECONDS => 0.1, BLKDISCARD => 0x1277, BLKZEROOUT => 0x127F, POLLS => 3000, IO_BYTES => 4 << 20, ALIGNMENT => 4096 };

$| = 1;
sysopen my $control, '/dev/mapper/control', O_RDWR or die "control: $!";
my ($case, %number) = '';

sub error_name {
  my ($errno) = @_;
  return 'ENOTSUP' if $errno == Errno::EOPNOTSUPP;
  my ($name) = grep { Errno->can($_)->() == $errno } keys %!;
  return $name;
}

# What the kernel wrote back; undef when it refused.
sub dm {
  my ($command, $name, $flags, @rows) = @_;
  return call($command, $name, $flags, scalar @rows, table_bytes(@rows));
}

sub call {
  my ($command, $name, $flags, $count, $payload) = @_;
  my $header = pack 'L10 Q a128 a136', 4, 0, 0, IOCTL_BYTES, HEADER_BYTES, $count, 0, $flags, 0, 0, 0, "$case$name", '';
  my $data = $header . $payload . "\0" x (IOCTL_BYTES - HEADER_BYTES - length $payload);
  return ioctl($control, 0xC138FD00 | $command, $data) ? $data : undef;
}

sub table_bytes {
  my (@rows) = @_;
  my $table = '';
  for my $row (@rows) {
    my ($start, $length, $type, $words) = split ' ', $row, 4;
    $words = ($words // '') . "\0";
    $words .= "\0" while length($words) % 8;
    $table .= pack('Q Q l L a16', $start, $length, 0, SPEC_BYTES + length $words, $type) . $words;
  }
  return $table;
}

sub result { defined $_[0] ? 'ok' : error_name($! + 0) }

# As numbers, since nobody makes names for devices here.
sub rows {
  my $text = join ' ', @_;
  $text =~ s{(?<= )(?:mapper/(\w+)|([OCD]))(?= |$)}{$number{$1 // $2}}g;
  return split / ; /, $text;
}

sub create {
  my ($name) = @_;
  my $reply = dm(CREATE, $name, 0) // return;
  my $device = unpack 'Q', substr $reply, 40, 8;
  $number{$name} = join ':', $device >> 8 & 0xfff, $device & 0xff | $device >> 12 & 0xfff00;
}

sub load { my ($flags, $name, @table) = @_; $number{$name} or create($name); return dm(LOAD, $name, $flags, rows(@table)) }
sub resume { dm(SUSPEND, $_[0], 0) }
sub start { my ($name, @table) = @_; return load(0, $name, @table) && resume($name) }
sub minor { $number{$_[0]} =~ s/.*://r }

# Of a snapshot, a merge or a log: what it says, and how many events there were. Nothing of others.
sub status {
  my $reply = dm(TABLE_STATUS, $_[0], 0) // return;
  my $type = unpack 'Z16', substr $reply, HEADER_BYTES + 24, 16;
  return unless unpack('L', substr $reply, 20, 4) == 1 && $type =~ /^(snapshot(-merge)?|log-writes)$/;
  # A log is written by somebody else, a little later.
  select undef, undef, undef, LOG_SECONDS if $type eq 'log-writes' && !$_[1];
  return status($_[0], 1) if $type eq 'log-writes' && !$_[1];
  return (unpack('Z*', substr $reply, HEADER_BYTES + SPEC_BYTES), unpack 'L', substr $reply, 32, 4);
}

sub say_ {
  my $line = "a|$_[0]";
  for my $name (sort keys %number) { if (my ($status, $events) = status($name)) { $line .= " $name $status e$events" } }
  print "$line\n";
}

# Direct I/O wants memory that is aligned: so much of a buffer is left out.
sub skew { -unpack('J', pack 'p', $_[0]) & (ALIGNMENT - 1) }
my ($in, $out) = map { my $buffer = "\1" . "\0" x (IO_BYTES + ALIGNMENT); $buffer } 1 .. 2;

sub open_ {
  my ($name, $mode) = @_;
  my $is_open = sysopen my $file, '/dev/dm-' . minor($name), $mode | O_DIRECT;
  return $is_open ? $file : undef;
}

sub write_ {
  my ($flags, $name, $sector, $count, $from) = @_;
  my ($skew, $bytes) = (skew($out), $count * 512);
  my $file = open_($name, O_RDWR | $flags) // return error_name($! + 0);
  substr $out, $skew, $bytes, join '', map { pack('V', $from + $_) x 128 } 0 .. $count - 1;
  sysseek $file, $sector * 512, 0;
  my $length = syswrite $file, $out, $bytes, $skew;
  return error_name($! + 0) unless defined $length;
  return $length == $bytes ? 'ok' : "$length bytes";
}

sub flush {
  my $file = open_($_[0], O_RDWR) // return error_name($! + 0);
  return result($file->sync || undef);
}

sub write_and_flush { my $result = write_(0, @_); return $result eq 'ok' ? flush($_[0]) : $result }

# BLKDISCARD, BLKZEROOUT.
sub range {
  my ($request, $name, $sector, $count) = @_;
  my $file = open_($name, O_RDWR) // return error_name($! + 0);
  return result(ioctl $file, $request, pack 'QQ', $sector * 512, $count * 512);
}

# Runs of sectors that say one number after the other: FIRST+COUNT.
sub content {
  my $file = open_($_[0], O_RDONLY) // return error_name($! + 0);
  my @runs;
  while (1) {
    my $skew = skew($in);
    my $length = sysread $file, $in, IO_BYTES, $skew;
    return error_name($! + 0) unless defined $length;
    last unless $length;
    for (my $at = $skew; $at < $skew + $length; $at += 512) {
      my $word = substr $in, $at, 4;
      my $first = substr($in, $at, 512) eq $word x 128 ? unpack 'V', $word : '?';
      my $last = $runs[-1];
      my $is_next = $last && $last->[0] ne '?' && $first ne '?' && ($last->[0] == 0 ? $first == 0 : $last->[0] + $last->[1] == $first);
      if ($is_next) { $last->[1]++ } else { push @runs, [$first, 1] }
    }
  }
  return join ',', map { "$_->[0]+$_->[1]" } @runs;
}

sub until_ {
  my ($name, $is_so) = @_;
  for (1 .. POLLS) { return 'ok' if $is_so->((status($name))[0] // ''); select undef, undef, undef, 0.01 }
  return 'never';
}

my %does = (
  start => sub { say_(result(start(@_))) },
  load => sub { print 'a|', result(load(0, @_)), "\n" },
  'load-readonly' => sub { print 'a|', result(load(IS_READONLY, @_)), "\n" },
  suspend => sub { print 'a|', result(dm(SUSPEND, $_[0], IS_SUSPEND)), "\n" },
  resume => sub { print 'a|', result(resume(@_)), "\n" },
  remove => sub { my $result = result(dm(REMOVE, $_[0], 0)); delete $number{$_[0]} if $result eq 'ok'; say_($result) },
  write => sub { say_(write_and_flush(@_)) },
  put => sub { say_(write_(0, @_)) },
  'put-synced' => sub { say_(write_(O_DSYNC, @_)) },
  flush => sub { say_(flush(@_)) },
  discard => sub { say_(range(BLKDISCARD, @_)) },
  zero => sub { say_(range(BLKZEROOUT, @_)) },
  message => sub { my ($name, @words) = @_; say_(result(call(MESSAGE, $name, 0, 0, pack('Q', 0) . "@words\0"))) },
  # From now on O is a disk with larger blocks.
  blocks => sub {
    my $loop = `losetup -b $_[0] --direct-io=on -f --show /dev/dm-@{[minor('O')]}`;
    $number{O} = '7:' . ($loop =~ /loop(\d+)/)[0];
    say_('ok');
  },
  content => sub { print 'a|', content(@_), "\n" },
  status => sub { say_('ok') },
  # What follows the two devices.
  table => sub {
    my $reply = dm(TABLE_STATUS, $_[0], IS_TABLE);
    print 'a|', join(' ', splice @{[split ' ', unpack 'Z*', substr $reply, HEADER_BYTES + SPEC_BYTES]}, 2), "\n";
  },
  limits => sub {
    my $folder = '/sys/block/dm-' . minor($_[0]) . '/queue';
    print 'a|', join(' ', map { open my $file, '<', "$folder/$_" or die; chomp(my $value = <$file>); "$_=$value" } qw(discard_granularity discard_max_bytes)), "\n";
  },
  hold => sub { my ($what, @words) = @_; unless (fork) { write_and_flush(@words); _exit(0) } print "a|held\n" },
  until => sub { my ($name, @status) = @_; say_(until_($name, sub { $_[0] eq "@status" })) },
  below => sub { my ($name, $limit) = @_; print 'a|', until_($name, sub { $_[0] =~ m{^(\d+)/} && $1 < $limit }), "\n" },
  merged => sub { say_(until_($_[0], sub { $_[0] =~ m{^(\d+)/\d+ (\d+)} && $1 == $2 })) },
  # The machine's own: the next case, whose disks are pieces of one.
  case => sub {
    my ($index, @pieces) = @_;
    ($case, %number) = "$index-";
    for my $disk (qw(O C D)) { my ($from, $size) = splice @pieces, 0, 2; start($disk, "0 $size linear /dev/vda $from") or die "$disk: $!" }
    print "case\n";
  },
);

while (my $line = <STDIN>) {
  my ($first, @words) = split ' ', $line;
  $does{$first}->(@words);
}
