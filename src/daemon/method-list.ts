/** The only list of JSON methods. docs/control-protocol.md describes each. */

import { devicesMethod } from './devices-method.ts';
import { mountMethod, unmountMethod } from './fuse-method.ts';
import { keyAddMethod, keyListMethod, keyRemoveMethod } from './key-method.ts';
import type { DaemonMethod } from './methods.ts';
import { pollMethod } from './poll-method.ts';
import { readAheadMethod } from './read-ahead-method.ts';
import { statusMethod } from './status-method.ts';
import { stopMethod } from './stop-method.ts';
import { procMethod, sysfsMethod } from './sysfs-method.ts';

export const daemonMethods: Readonly<Record<string, DaemonMethod>> = {
  devices: devicesMethod,
  'key-add': keyAddMethod,
  'key-list': keyListMethod,
  'key-remove': keyRemoveMethod,
  mount: mountMethod,
  poll: pollMethod,
  proc: procMethod,
  'read-ahead': readAheadMethod,
  status: statusMethod,
  stop: stopMethod,
  sysfs: sysfsMethod,
  unmount: unmountMethod,
};
