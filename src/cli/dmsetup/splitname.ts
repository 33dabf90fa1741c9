/** LVM's names of mapped devices, taken apart: `vg-lv-layer`, where a hyphen inside a part is doubled. */

export interface NameParts {
  vgName: string;
  lvName: string;
  lvLayer: string;
}

/** Parts that are not there are ''. What follows a third part says nothing; a hyphen at the very end is part of the name. */
export function splitLvmName(name: string): NameParts {
  const parts = [''];
  for (let i = 0; i < name.length; i += 1) {
    const next = name[i + 1];
    const separates = name[i] === '-' && next !== '-' && next !== undefined;
    if (separates) parts.push('');
    else parts[parts.length - 1] += name[i]!;
    if (name[i] === '-' && next === '-') i += 1;
  }
  const [vgName = '', lvName = '', lvLayer = ''] = parts;
  return { vgName, lvName, lvLayer };
}
