/**
 * Files of /proc as a kernel with our devices would show them: the host's own text with our lines put in.
 * /proc/devices and /proc/misc (libdevmapper finds its numbers there), /proc/partitions (blkid), and mount tables, in which
 * the loop device that `mount` put between a mapped device and its file system becomes the mapped device again.
 */

const CONTROL_MINOR = 236;

export interface ListedDevice {
  name: string;
  minor: number;
  sizeSectors: number;
}

/** A host's own device mapper is not in this world: its line goes. */
export function rewriteDevices(text: string, major: number): string {
  const lines = text.split('\n').filter((line) => !/ device-mapper$/.test(line));
  const heading = lines.indexOf('Block devices:');
  const place = heading < 0 ? lines.length : heading + 1;
  lines.splice(place, 0, `${String(major).padStart(3)} device-mapper`);
  return lines.join('\n');
}

export function rewriteMisc(text: string): string {
  return / device-mapper$/m.test(text) ? text : `${CONTROL_MINOR} device-mapper\n${text}`;
}

export function rewritePartitions(
  text: string,
  major: number,
  devices: readonly ListedDevice[],
): string {
  const heading = text === '' ? 'major minor  #blocks  name\n\n' : text;
  // As a kernel: what is empty is left out.
  const present = devices.filter(({ sizeSectors }) => sizeSectors > 0);
  const rows = present.map(({ minor, sizeSectors }) => {
    const blocks = String(Math.floor(sizeSectors / 2)).padStart(10);
    return `${String(major).padStart(4)}  ${String(minor).padStart(7)} ${blocks} dm-${minor}\n`;
  });
  return heading + rows.join('');
}

/** What a loop device stands for. */
export interface MountedDevice {
  minor: number;
  /** As it was given to mount(2), which a kernel shows to the end, whatever becomes of the name. */
  source: string;
}

/**
 * Both shapes: `/proc/PID/mounts` names the loop device as source, `mountinfo` also has its number.
 * `behindLoop` says which mapped device a loop device stands for.
 */
export function rewriteMounts(
  text: string,
  major: number,
  behindLoop: (loop: number) => MountedDevice | undefined,
): string {
  if (!text.includes('/dev/loop')) return text;
  return text.replace(
    /(^| )(\/dev\/loop|7:)(\d+)(?= )/gm,
    (whole, gap: string, kind: string, loop: string) => {
      const device = behindLoop(Number(loop));
      if (device === undefined) return whole;
      if (kind === '7:') return `${gap}${major}:${device.minor}`;
      return `${gap}${device.source.replaceAll(/[\s\\#]/g, escapeCharacter)}`;
    },
  );
}

function escapeCharacter(character: string): string {
  return `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`;
}
