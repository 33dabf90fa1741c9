/** lvm.conf for the private view: what LVM keeps outside /dev goes below the daemon's folder, because /etc and /run are not ours. */

import { join } from 'node:path';

export function lvmConfiguration(folder: string): string {
  const own = (path: string) => JSON.stringify(join(folder, 'lvm', path));
  return `# Made by "devmapper exec"; change it as you like, or set LVM_SYSTEM_DIR to a configuration of your own.
devices {
	obtain_device_list_from_udev = 0
	external_device_info_source = "none"
	hints = "none"
	use_devicesfile = 0
}
activation {
	udev_sync = 0
	udev_rules = 0
	verify_udev_operations = 1
	monitoring = 0
	process_priority = 0
	mlock_filter = [ "/", "[", " 0 ", "0" ]
}
backup {
	backup_dir = ${own('backup')}
	archive_dir = ${own('archive')}
}
global {
	locking_dir = ${own('lock')}
	event_activation = 0
}
`;
}
