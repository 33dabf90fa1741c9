/** LVM's names of mapped devices, taken apart: `vg-lv-layer`, where a hyphen inside a part is doubled. */

export interface NameParts {
  vgName: string;
  lvName: string;
  lvLayer: string;
}

/** Parts that are not there are ''. What follows a third part says nothing. */
export function splitLvmName(name: string): NameParts {
  const [vgName = '', lvName = '', lvLayer = ''] = name
    .split(/(?<!-)-(?=(?:--)*(?!-))/)
    .map((part) => part.replaceAll('--', '-'));
  return { vgName, lvName, lvLayer };
}
