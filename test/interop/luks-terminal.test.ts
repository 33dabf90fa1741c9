/** `devmapper luks` at a terminal: a real one, made by script(1). What is typed is not seen, and Ctrl-C gives the terminal back as it was. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireTools, toolEnvironment } from '../../src/testing/tools.ts';
import { program } from './daemon-rig.ts';
import { temporaryFolder } from './serve-process.ts';

const CHEAP = '--pbkdf pbkdf2 --pbkdf-force-iterations 1000';
const LUKS = `${process.execPath} ${program} luks`;

/** A shell line with a terminal of its own. */
class TerminalSession {
  readonly #child: ChildProcess;
  #seen = '';
  /** Up to here it was waited for already. */
  #position = 0;

  constructor(folder: string, line: string) {
    const env = { ...toolEnvironment(), DEVMAPPER_NO_BUILD: '1' };
    const words = ['-qefc', line, '/dev/null'];
    this.#child = spawn('script', words, { cwd: folder, env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#seen += text;
    });
  }

  /** Waits for a question. */
  async sees(text: string): Promise<void> {
    while (this.#seen.indexOf(text, this.#position) < 0) {
      if (this.#child.exitCode !== null) throw new Error(`it ended and said only: ${this.#seen}`);
      await once(this.#child.stdout!, 'data');
    }
    this.#position = this.#seen.indexOf(text, this.#position) + text.length;
  }

  /** In what it said so far. */
  found(pattern: RegExp): string | undefined {
    return pattern.exec(this.#seen)?.[1];
  }

  types(text: string): void {
    this.#child.stdin!.write(text);
  }

  async ends(): Promise<{ status: number | null; seen: string }> {
    if (this.#child.exitCode === null) await once(this.#child, 'close');
    return { status: this.#child.exitCode, seen: this.#seen };
  }
}

function folderWithImage() {
  const folder = temporaryFolder();
  writeFileSync(join(folder.path, 'disk.img'), '');
  truncateSync(join(folder.path, 'disk.img'), 20 * 1024 * 1024);
  return folder;
}

requireTools('script')('luks at a terminal', () => {
  test('asks YES and the passphrase twice, then once to open, and shows nothing of it', async () => {
    using folder = folderWithImage();
    const format = new TerminalSession(folder.path, `${LUKS} format ${CHEAP} disk.img`);
    await format.sees("(Type 'yes' in capital letters): ");
    format.types('YES\n');
    await format.sees('Enter passphrase for disk.img: ');
    format.types('short\r');
    await format.sees('Verify passphrase: ');
    format.types('short\r');
    const formatted = await format.ends();
    expect(formatted).toMatchObject({ status: 0 });
    expect(formatted.seen).toContain('This will overwrite data on disk.img irrevocably.');
    expect(formatted.seen).toContain('note: this passphrase is weak');
    expect(formatted.seen).not.toContain('short');

    const open = new TerminalSession(folder.path, `${LUKS} open --test-passphrase disk.img`);
    await open.sees('Enter passphrase for disk.img: ');
    open.types('wrong\r');
    await open.sees('No key available with this passphrase.');
    await open.sees('Enter passphrase for disk.img: ');
    open.types('shx\x7fort\r');
    const opened = await open.ends();
    expect(opened).toMatchObject({ status: 0 });
    expect(opened.seen).not.toMatch(/wrong|short/);
  }, 60_000);

  test('formats nothing without YES, nor when the passphrases differ', async () => {
    using folder = folderWithImage();
    const refused = new TerminalSession(folder.path, `${LUKS} format ${CHEAP} disk.img`);
    await refused.sees('capital letters): ');
    refused.types('yes\n');
    expect(await refused.ends()).toMatchObject({
      status: 1,
      seen: expect.stringContaining('Operation aborted.'),
    });
    const differs = new TerminalSession(folder.path, `${LUKS} format ${CHEAP} disk.img`);
    await differs.sees('capital letters): ');
    differs.types('YES\n');
    await differs.sees('Enter passphrase');
    differs.types('one\r');
    await differs.sees('Verify');
    differs.types('two\r');
    expect(await differs.ends()).toMatchObject({
      status: 2,
      seen: expect.stringContaining('Passphrases do not match.'),
    });
    const isLuks = new TerminalSession(folder.path, `${LUKS} is-luks disk.img`);
    expect(await isLuks.ends()).toMatchObject({ status: 1 });
  }, 60_000);

  test('Ctrl-C and --timeout give the terminal back', async () => {
    using folder = folderWithImage();
    const make = new TerminalSession(
      folder.path,
      `printf pw | ${LUKS} format -q ${CHEAP} disk.img`,
    );
    expect(await make.ends()).toMatchObject({ status: 0 });
    const open = `${LUKS} open --test-passphrase`;
    const again = `${open} disk.img; echo "status=$?"; ${open} -t 1 disk.img; echo "status=$?"`;
    const session = new TerminalSession(folder.path, `stty -g; ${again}; stty -g`);
    await session.sees('Enter passphrase for disk.img: ');
    session.types('half a passph\x03');
    await session.sees('status=130');
    await session.sees('status=1');
    const { seen } = await session.ends();
    expect(seen).not.toContain('half');
    const [before, ...after] = seen.match(/^[0-9a-f]+(:[0-9a-f]+)+/gm) ?? [];
    expect(after).toEqual([before]);
  }, 60_000);

  test.each(['INT', 'TERM', 'HUP', 'QUIT'])(
    'SIG%s gives the terminal back',
    async (signal) => {
      using folder = folderWithImage();
      const make = new TerminalSession(
        folder.path,
        `printf pw | ${LUKS} format -q ${CHEAP} disk.img`,
      );
      expect(await make.ends()).toMatchObject({ status: 0 });
      // What is executed keeps the shell's process number.
      const open = `sh -c 'echo "pid=$$."; exec ${LUKS} open --test-passphrase disk.img'`;
      const session = new TerminalSession(folder.path, `stty -g; ${open}; stty -g; true`);
      await session.sees('Enter passphrase for disk.img: ');
      process.kill(Number(session.found(/pid=(\d+)\./)), `SIG${signal}`);
      const { seen } = await session.ends();
      const [before, ...after] = seen.match(/[0-9a-f]+(:[0-9a-f]+){9,}/gm) ?? [];
      expect(after).toEqual([before]);
    },
    60_000,
  );
});
