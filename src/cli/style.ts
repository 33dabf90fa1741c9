/** Colours: only on a terminal, and not where NO_COLOR or TERM=dumb says that nobody wants them. */

import pc from 'picocolors';

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  cyan(text: string): string;
}

export function terminalStyle(stream: { isTTY?: boolean } = process.stdout): Style {
  return pc.createColors(pc.isColorSupported && stream.isTTY === true);
}

export const PLAIN: Style = pc.createColors(false);
