/** `devmapper daemon`: its words and its help. The work is in daemon.ts and daemon-control.ts, loaded when asked for. */

import { Argument, type Command, InvalidArgumentError, Option } from 'commander';

export interface DaemonCommandOptions {
  tab?: string;
  fuse?: boolean;
  listen?: string;
  insecure?: boolean;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  tlsPsk?: string;
  tlsVerifyPeer?: boolean;
  lock: boolean;
  threads?: number;
  logLevel: string;
  readyFd?: number;
  force?: boolean;
  json?: boolean;
}

type DaemonAction = 'run' | 'start' | 'stop' | 'status';

const EXAMPLES = `
Without an action, or with "run", it stays in the foreground until a signal. Tables are gone when it ends, as the kernel's are.
Commands that need a daemon start one by themselves.

Examples:
  devmapper daemon start --tab /etc/devmapper.tab
      in the background, with devices of a file in dmsetup's concise format
  devmapper daemon status --json
  devmapper daemon stop
      flushes; refused while a device is open, unless --force

Signals: SIGTERM or Ctrl-C finishes what is under way, flushes and ends; a second one ends at once.
Exit status: 0 done, 1 something failed, 2 the command line is wrong, 3 no daemon runs (status, stop).`;

export function addDaemonCommand(program: Command): void {
  program
    .command('daemon')
    .description('the background process that holds the devices: run, start, stop, status')
    .addArgument(
      new Argument('[action]', 'what to do')
        .choices(['run', 'start', 'stop', 'status'])
        .default('run'),
    )
    .option('--tab <file>', 'devices to begin with, in the concise format, a line each')
    .option('--fuse', 'show the devices as files in mapper/ of the state folder')
    .option('--listen <host:port>', 'serve NBD on TCP too')
    .option('--insecure', 'let others than this machine in without TLS')
    .option('--tls-cert <file>', 'certificate (PEM); NBD clients then have to use TLS')
    .option('--tls-key <file>', 'its private key (PEM)')
    .option('--tls-ca <file>', 'authority (PEM) that signs clients’ certificates')
    .option('--tls-verify-peer', 'refuse clients without a certificate of --tls-ca')
    .option('--tls-psk <file>', 'pre-shared keys, a line each: user:hex')
    .option('--no-lock', 'use images that another program has locked')
    .option('--threads <number>', 'NBD connections with a thread of their own', wholeNumber)
    .addOption(
      new Option('--log-level <level>', 'what goes into the log')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .default('info'),
    )
    .addOption(
      new Option('--ready-fd <fd>', 'write a line to this descriptor once it answers').argParser(
        wholeNumber,
      ),
    )
    .option('-f, --force', 'stop although devices are open')
    .option('--json', 'status and stop: one line of JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (action: DaemonAction, options: DaemonCommandOptions) => {
      process.exitCode = await perform(action, options);
    });
}

async function perform(action: DaemonAction, options: DaemonCommandOptions): Promise<number> {
  if (action === 'run') return (await import('./daemon.ts')).runDaemon(options);
  const control = await import('./daemon-control.ts');
  if (action === 'start') return control.startDaemon(options);
  return action === 'stop' ? control.stopDaemon(options) : control.showStatus(options);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
