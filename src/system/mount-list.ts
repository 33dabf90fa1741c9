/** The kernel's list of mounts, /proc/PID/mountinfo of proc(5): what is mounted where, without asking the mounts themselves. */

/** The type of our own FUSE mounts. */
export const OWN_MOUNT_TYPE = 'fuse.devmapper';

export interface ListedMount {
  /** Major and minor number, which all mounts of one file system share. */
  device: string;
  /** Which folder or file of the file system is mounted; `/` for all of it. */
  root: string;
  place: string;
}

/** Those of one type of file system, in the list's order: of several at one place, the last one is seen. */
export function mountsOfType(type: string, mountinfo: string): ListedMount[] {
  return mountinfo
    .split('\n')
    .filter((line) => line.includes(` - ${type} `))
    .map((line) => {
      const [, , device = '', root = '', place = ''] = line.split(' ');
      return { device, root: plainText(root), place: plainText(place) };
    });
}

/** Spaces and the like are written as three octal digits. */
function plainText(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number(`0o${digits}`)),
  );
}
