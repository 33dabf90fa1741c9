/** `devmapper mount` and `devmapper umount`: every device as a file in the state folder. */

import type { Command } from 'commander';

interface MountOptions {
  json?: boolean;
}

interface UnmountOptions extends MountOptions {
  force?: boolean;
}

const MOUNT_EXAMPLES = `
Prints the folder. Each device with a live table is a regular file in it, of the device's size; programs that take image
files take it. A daemon is started if none runs. Linux only; root mounts by mount(8), others by fusermount3 (package fuse3).

Examples:
  devmapper mount
  mkfs.ext4 $DEVMAPPER_DIR/mapper/disk
  losetup -f --show $DEVMAPPER_DIR/mapper/disk
      as a block device of the kernel (root)`;

const UNMOUNT_EXAMPLES = `
Refused while a file is open, unless --force: then what is open fails from now on.

Examples:
  devmapper umount
  devmapper umount --force`;

export function addMountCommand(program: Command): void {
  program
    .command('mount')
    .description('show every device as a file, through FUSE')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', MOUNT_EXAMPLES)
    .action(async (options: MountOptions) => {
      const { mount } = await import('./mount.ts');
      process.exitCode = await mount(options);
    });
}

export function addUmountCommand(program: Command): void {
  program
    .command('umount')
    .description('take the files of "mount" away')
    .option('-f, --force', 'even if a file is open')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', UNMOUNT_EXAMPLES)
    .action(async (options: UnmountOptions) => {
      const { unmount } = await import('./mount.ts');
      process.exitCode = await unmount(options);
    });
}
