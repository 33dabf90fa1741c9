/** What `-o` means to `ls`, `ls --tree`, `deps` and plain `info`: not columns, but a few words, which may be cut short. */

import { badCommandLine } from './failure.ts';

/** Of several the last one counts. */
const SHOWN = ['devno', 'blkdevname', 'devname'] as const;
export type ShownName = (typeof SHOWN)[number];

/** How a device is shown. `device` in cut form means the first of those that begin so. */
export function readShownName(words: string | undefined): ShownName {
  let shown: ShownName = 'devno';
  for (const word of wordsOf(words)) {
    const found = SHOWN.find((each) => each.startsWith(word));
    if (found === undefined) throw badCommandLine(`Option not recognised: ${word}.`);
    shown = found;
  }
  return shown;
}

export interface TreeOptions {
  symbols: 'ascii' | 'utf' | 'vt100';
  compact: boolean;
  inverted: boolean;
  truncate: boolean;
  device: boolean;
  blkdevname: boolean;
  active: boolean;
  rw: boolean;
  open: boolean;
  uuid: boolean;
}

/** In the order in which cut words find them. */
const TREE_WORDS: Readonly<Record<string, Partial<TreeOptions>>> = {
  device: { device: true },
  blkdevname: { blkdevname: true },
  nodevice: { device: false },
  active: { active: true },
  open: { open: true },
  rw: { rw: true },
  uuid: { uuid: true },
  ascii: { symbols: 'ascii' },
  utf: { symbols: 'utf' },
  vt100: { symbols: 'vt100' },
  compact: { compact: true },
  inverted: { inverted: true },
  notrunc: { truncate: false },
};

export function readTreeOptions(words: string | undefined, isUtf8: boolean): TreeOptions {
  const options: TreeOptions = {
    symbols: isUtf8 ? 'utf' : 'ascii',
    compact: false,
    inverted: false,
    truncate: true,
    device: true,
    blkdevname: false,
    active: false,
    rw: false,
    open: false,
    uuid: false,
  };
  for (const word of wordsOf(words)) {
    const found = Object.keys(TREE_WORDS).find((each) => each.startsWith(word));
    if (found === undefined) throw badCommandLine(`Tree options not recognised: ${word}.`);
    Object.assign(options, TREE_WORDS[found]);
  }
  // What is in brackets makes lines too long for it.
  const { active, rw, open, uuid } = options;
  return { ...options, compact: options.compact && !(active || rw || open || uuid) };
}

function wordsOf(list = ''): string[] {
  return list.split(',').filter((word) => word !== '');
}
