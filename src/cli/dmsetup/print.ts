/** Standard output of dmsetup commands. */

export function print(text: string): void {
  process.stdout.write(text);
}

/** One line: `--json`. */
export function printJson(value: object): void {
  print(`${JSON.stringify(value)}\n`);
}

/** Where reports go. */
export const REPORT_SINK = {
  out: print,
  error: (text: string) => {
    process.stderr.write(text);
  },
};

export const NO_DEVICES = 'No devices found\n';
