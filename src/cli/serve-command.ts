/** `devmapper serve`: its words and its help. The work is in serve.ts, loaded only when it is asked for. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { because } from './failure.ts';
import { parseSize } from './luks/size-text.ts';

export interface ServeOptions {
  name?: string[];
  table?: string[];
  luks?: string[];
  keyFile?: string[];
  keyfileOffset?: number;
  keyfileSize?: number;
  header?: string;
  keySlot?: number;
  allowDiscards?: boolean;
  socket?: string;
  listen?: string;
  readOnly?: boolean;
  lock: boolean;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  tlsPsk?: string;
  tlsVerifyPeer?: boolean;
  maxConnections?: number;
  insecure?: boolean;
  threads?: number;
  workers: boolean;
  spin?: number;
  json?: boolean;
  readyFd?: number;
  pidFile?: string;
  verbose?: boolean;
}

const EXAMPLES = `
A table has a row a line, in sectors of 512 bytes: <start> <length> <type> [<arguments>].
"devmapper targets -v" lists the types. A device in a row is the path of a file or block device, mapper/NAME for an
earlier --name, mem:SIZE for memory, or an NBD URI. White space inside a path is written "\\ ".

Examples:
  devmapper serve a.img b.img
      one disk, the second image behind the first
  devmapper serve disk --table '0 2048 linear a.img 0
  2048 4096 linear b.img 0'
      the same by hand; --table also takes the path of a file, or - for standard input
  devmapper serve --name pair --table pair.table --name part --table '0 1024 linear mapper/pair 512'
      two devices, the second on top of the first
  devmapper serve --luks disk.img
      an encrypted image, opened: asks for the passphrase, and keeps the key until it stops
  devmapper serve a.img --read-only --listen localhost:10809
      over TCP, and nobody can write

Signals: Ctrl-C or SIGTERM finishes what is under way, flushes, and exits with 0; a second one says what it waits for.
Exit status: 0 served and stopped, 1 something failed, 2 the command line or the passphrase is wrong.`;

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('build devices from tables and serve them over NBD, until a signal')
    .usage('IMAGE... [options]\n       devmapper serve [NAME] --table TABLE [options]')
    .argument('[words...]', 'images to join; or, with --table, the NAME of the device')
    .option('--table <rows>', 'rows, a file of rows, or - (repeatable, with --name)', append)
    .option('--name <name>', 'name of the device (default: disk)', append)
    .option('--luks <image>', 'open a LUKS image and serve what is in it (repeatable)', append)
    .option(
      '--key-file <file>',
      'its passphrase is what the file holds (one for each --luks)',
      append,
    )
    .option('--keyfile-offset <bytes>', 'skip this much of the key file', size)
    .option('--keyfile-size <bytes>', 'read exactly this much of the key file', size)
    .option('--header <file>', 'its header lies in a file of its own')
    .option('--key-slot <slot>', 'try this key slot only', wholeNumber)
    .option('--allow-discards', 'let discards through to the image')
    .option('--socket <path>', 'Unix socket to listen on (default: nbd.sock in $DEVMAPPER_DIR)')
    .option('--listen <host:port>', 'listen on TCP; without --socket, only there')
    .option('--insecure', 'let others than this machine in without TLS')
    .option('--read-only', 'open everything for reading only')
    .option('--no-lock', 'use images that another program has locked')
    .option('--tls-cert <file>', 'certificate (PEM); clients then have to use TLS')
    .option('--tls-key <file>', 'its private key (PEM)')
    .option('--tls-ca <file>', 'authority (PEM) that signs clients’ certificates')
    .option('--tls-verify-peer', 'refuse clients without a certificate of --tls-ca')
    .option('--tls-psk <file>', 'pre-shared keys, a line each: user:hex')
    .option('--max-connections <number>', 'clients at a time', wholeNumber)
    .option(
      '--threads <number>',
      'connections with a thread of their own (default: 8)',
      wholeNumber,
    )
    .option('--no-workers', 'do all I/O on the main thread')
    .option(
      '--spin <microseconds>',
      'look for the next request this long before sleeping',
      wholeNumber,
    )
    .option('--json', 'describe what is served as one line of JSON')
    .addOption(
      new Option('--ready-fd <fd>', 'write a line to this descriptor once served').argParser(
        wholeNumber,
      ),
    )
    .option('--pid-file <path>', 'write the process id there while serving')
    .option('-v, --verbose', 'say what goes on, on standard error')
    .addHelpText('after', EXAMPLES)
    .action(async (words: string[], options: ServeOptions) => {
      const { serve } = await import('./serve.ts');
      process.exitCode = await serve(words, options);
    });
}

function append(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function size(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new InvalidArgumentError(`${because(error)}.`);
  }
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
